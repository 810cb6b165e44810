import type { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { Write } from '../../src/etcd/port.ts';
import { AutomaticCheck } from './check-automatic.ts';
import { SwitchoverCheck } from './check-switchover.ts';
import type { Invariant } from './invariants.ts';
import type { SimPostgres } from './sim-postgres.ts';

/** What the omniscient eye demands of one kind of operation. Told of each transaction in the moment in which it is committed. */
export interface Check {
  committed(writes: readonly Write[]): void;
}

export interface CheckOptions {
  readonly keys: Keys;
  readonly cluster: string;
  readonly contract: Contract;
  readonly members: readonly SimPostgres[];
  readonly clocksWithinLimits: boolean;
  /** True time. */
  readonly now: () => number;
  readonly report: (invariant: Invariant, message: string) => void;
}

export const checksOf = (options: CheckOptions): readonly Check[] => [
  new AutomaticCheck(options),
  new SwitchoverCheck(options),
];
