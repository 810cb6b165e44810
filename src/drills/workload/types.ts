import type { Cents } from '../../domain/money.ts';

/** What a request asks for, ready to be sent, except by whom and through which gateway. */
export type Ask =
  | {
      readonly action: 'reserve';
      readonly issuer: string;
      readonly token: string;
      readonly notional: Cents;
      /** What the client names; null: the gateway names it. */
      readonly reservation: string | null;
    }
  | {
      readonly action: 'release';
      readonly issuer: string;
      readonly token: string;
      readonly reservation: string;
    }
  | {
      readonly action: 'set-limit' | 'correct';
      readonly issuer: string;
      readonly token: string;
      readonly limit: Cents;
    }
  | { readonly action: 'settle' | 'resolve'; readonly issuer: string; readonly token: string }
  | {
      readonly action: 'read-issuer' | 'read-open';
      readonly issuer: string;
      readonly token: null;
      /** `newest`: the newest commit token that a desk was told for this issuer; a number: milliseconds of staleness at most. */
      readonly bound: 'none' | 'newest' | number;
    };

/** What a read was bound to when it was sent. */
export interface SentBound {
  readonly atLeast: string | null;
  readonly maxStalenessMs: number | null;
}

/** Why a request is in the plan. `repeat`: an earlier one again; `reuse`: an earlier token with other content. */
export type Purpose = 'fresh' | 'repeat' | 'reuse';

export interface PlannedRequest {
  /** From 0 on, without gaps. */
  readonly n: number;
  /** From the start of the load. Never falls. */
  readonly atMs: number;
  readonly purpose: Purpose;
  /** The region whose process sends it. */
  readonly region: string;
  /** The region whose key it carries: a repeat is the same desk's, wherever it is sent from. Null: the operator's. */
  readonly desk: string | null;
  /** The region whose gateway it goes through. */
  readonly via: string;
  /** While the outcome stays open it is sent again through these, one after another. */
  readonly retries: readonly string[];
  readonly ask: Ask;
}

export interface PlannedIssuer {
  readonly issuer: string;
  readonly limit: Cents;
  readonly hot: boolean;
}

export interface WorkloadOptions {
  /** Names the run: its issuers and tokens begin with it, so that no two runs meet. */
  readonly runId: string;
  readonly seed: number;
  readonly ratePerSecond: number;
  /** The hot issuers' limits are sized for this; the stream itself never ends. */
  readonly durationMs: number;
  readonly regions: readonly string[];
}
