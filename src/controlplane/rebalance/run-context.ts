import type { Clock } from '../../clock/clock.ts';
import type { Contract } from '../../domain/contract.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation/journal.ts';
import type { OperationProgress } from '../operation/run.ts';
import type { RebalanceRun } from './context.ts';
import { REBALANCE } from './phases.ts';
import type { MoveSides } from './ports.ts';

/** What every way to drive a rebalance is given. */
export interface RebalanceControl {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly actor: string;
  /** Opens what compares rows; asked once, when rows are to be compared, and never closed here. */
  readonly sides: () => Promise<MoveSides>;
  /** Aborted: stop at the next safe step, with `operation_interrupted`; a cutover under way ends first. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export function rebalanceRun(about: {
  readonly control: RebalanceControl;
  readonly clock: Clock;
  readonly contract: Contract;
  readonly journal: OperationJournal;
  readonly held: HeldOperation;
}): RebalanceRun {
  const { control, clock, contract, journal, held } = about;
  let sides: Promise<MoveSides> | undefined;
  return {
    etcd: control.etcd,
    keys: control.keys,
    contract,
    journal,
    clock,
    machine: REBALANCE,
    signal: control.signal,
    onProgress: control.onProgress,
    actor: control.actor,
    sides: () => (sides ??= control.sides()),
    operation: { held },
    results: new Map(),
    pausedSinceMs: new Map(),
  };
}
