import type { AreaName } from './area.ts';
import type { Planted } from './planted.ts';
import type { StepFault } from './step-faults.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly planted?: Planted;
  readonly keepTrace?: boolean;
  /** The faults that may come; default: drawn from all. */
  readonly only?: readonly string[] | undefined;
  /** What it is about; default: `failover`. */
  readonly area?: AreaName | undefined;
  /** One fault at one write of one operation, instead of what the seed draws. */
  readonly at?: StepFault | undefined;
}

export interface Counts {
  readonly faults: Map<string, number>;
  decided: number;
  refused: number;
  unknown: number;
  told: number;
  promotions: number;
  failovers: number;
  aborts: number;
  switchovers: number;
  memberships: number;
  rejoins: number;
  rebalances: number;
  rebalancesBegun: number;
  flips: number;
  backOuts: number;
  /** Of a stream, the first of each counted too. */
  copies: number;
  /** Decisions for another region whose bound on the loss could be held against what was lost. */
  lossesBounded: number;
  rebuilt: number;
  lostRequests: number;
  lostReplies: number;
  lateWrites: number;
  repeatedWrites: number;
}

export const noCounts = (): Counts => ({
  faults: new Map(),
  decided: 0,
  refused: 0,
  unknown: 0,
  told: 0,
  promotions: 0,
  failovers: 0,
  aborts: 0,
  switchovers: 0,
  memberships: 0,
  rejoins: 0,
  rebalances: 0,
  rebalancesBegun: 0,
  flips: 0,
  backOuts: 0,
  copies: 0,
  lossesBounded: 0,
  rebuilt: 0,
  lostRequests: 0,
  lostReplies: 0,
  lateWrites: 0,
  repeatedWrites: 0,
});
