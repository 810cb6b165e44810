import type { EstateConfig } from '../config/estate-config.ts';
import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { Keys } from '../controlplane/keys.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { MemberPanel } from './member-panel.ts';

/**
 * - `fail`: a promise is broken now.
 * - `unknown`: it could not be found out, which is not ready.
 * - `skipped`: the check doesn't apply here.
 */
export type CheckStatus = 'pass' | 'fail' | 'unknown' | 'skipped';

export interface Finding {
  readonly status: CheckStatus;
  /** What was judged: `estate`, a cluster, a member, a gateway. */
  readonly subject: string;
  readonly cluster?: string;
  readonly message: string;
  /** What was measured, with its unit. */
  readonly figure?: string;
  /** What it is held against, with its unit. */
  readonly budget?: string;
  readonly sampleAgeMs?: number;
  /** The member or process that answered. */
  readonly asked?: string;
  readonly next?: string;
}

export interface CheckContext {
  readonly config: EstateConfig;
  readonly keys: Keys;
  readonly region: string | undefined;
  readonly etcd: EtcdPort;
  /** One consistent answer of etcd; rejects for every check alike when there is none. */
  readonly snapshot: () => Promise<{ readonly estate: EstateSnapshot; readonly readAtMs: number }>;
  /** Postgres members, each asked once a run. */
  readonly members: MemberPanel;
  /** Aborted at the check's own time limit and when the whole run is stopped. */
  readonly signal: AbortSignal;
}

/** One promise and how to find out whether it is kept. Throws freely: the runner makes `unknown` of it. */
export interface Check {
  readonly name: string;
  /** The promise, in a sentence. */
  readonly claim: string;
  /** Who is asked. */
  readonly asks: string;
  readonly timeoutMs: number;
  readonly run: (context: CheckContext) => Promise<readonly Finding[]>;
}

export interface CheckResult extends Finding {
  readonly check: string;
}

export interface ReadinessReport {
  /** Something was proved, no check failed and none is unknown. */
  readonly ready: boolean;
  readonly counts: Readonly<Record<CheckStatus, number>>;
  readonly results: readonly CheckResult[];
  readonly tookMs: number;
  readonly at: string;
}
