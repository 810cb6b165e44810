import type { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { Write } from '../../src/etcd/port.ts';
import { AutomaticCheck } from './check-automatic.ts';
import { EndingCheck } from './check-ending.ts';
import { MembershipCheck } from './check-membership.ts';
import { RegionalCheck } from './check-regional.ts';
import { SwitchoverCheck } from './check-switchover.ts';
import type { Invariant } from './violation.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimPostgres } from './sim-postgres.ts';
import type { LogRecord } from './wal.ts';
import type { Counts } from './world-options.ts';

/** What the omniscient eye demands of one kind of operation. Told of each transaction in the moment in which it is committed. */
export interface Check {
  committed(writes: readonly Write[]): void;
  /** A member has written a record first. */
  appended?(member: string, record: LogRecord): void;
  /** An answer without a warning is about to leave this member. */
  acknowledged?(member: string, token: string): void;
}

export interface CheckOptions {
  readonly etcd: SimEtcd;
  readonly keys: Keys;
  readonly cluster: string;
  readonly contract: Contract;
  readonly members: readonly SimPostgres[];
  readonly counts: Counts;
  readonly clocksWithinLimits: boolean;
  /** True time. */
  readonly now: () => number;
  readonly report: (invariant: Invariant, message: string) => void;
}

export const checksOf = (options: CheckOptions): readonly Check[] => [
  new AutomaticCheck(options),
  new SwitchoverCheck(options),
  new EndingCheck(options),
  new RegionalCheck(options),
  new MembershipCheck(options),
];
