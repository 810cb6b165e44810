import type { Contract } from './contract.ts';

/** What an estate has whose contract was written before these were promised. */
const CADENCE: LogCadence = {
  beatEveryMs: 100,
  idleBeatEveryMs: 1_000,
  pollEveryMs: 20,
  idlePollEveryMs: 250,
};
const READS: ReadPolicy = { whenBehind: 'leader', waitMaxMs: 200 };

/** How often a leader says what is confirmed, and how often the log is asked for. */
export interface LogCadence {
  /** While heads move. */
  readonly beatEveryMs: number;
  readonly idleBeatEveryMs: number;
  /** While entries come. */
  readonly pollEveryMs: number;
  readonly idlePollEveryMs: number;
}

/** What a read does that its follower can't answer: `fail` says so at once. */
export type WhenBehind = 'leader' | 'wait' | 'fail';

export interface ReadPolicy {
  readonly whenBehind: Exclude<WhenBehind, 'fail'>;
  readonly waitMaxMs: number;
}

export const logCadenceOf = (contract: Pick<Contract, 'log'>): LogCadence => contract.log ?? CADENCE;
export const readPolicyOf = (contract: Pick<Contract, 'reads'>): ReadPolicy => contract.reads ?? READS;
