import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import type { Keys } from '../keys.ts';
import { readContract } from '../store.ts';
import { type HeldOperation, OperationJournal } from './journal.ts';
import type { Machine } from './machine.ts';
import { newCoordinatorId } from './record.ts';
import type { OperationProgress, OperationRun } from './run.ts';

export interface ControlOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly id: string;
  readonly actor: string;
  /** Only as long as the operation is as it was read at this revision: whoever wrote it since is alive. */
  readonly onlyAt?: string | undefined;
  /** A regional failover only: this many lost decisions are accepted, whatever was foreseen. */
  readonly acceptLoss?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** Claims an unfinished operation for this process, audited; the former coordinator's next write is refused. */
export async function takeOver(
  options: ControlOptions & {
    /** What a person approves beside what the operation was begun with; recorded and audited with it. */
    readonly approve?: readonly string[] | undefined;
  },
  machineOf: (record: OperationRecord) => Machine,
  /** Throws where this process has no business going on. */
  demand: (record: OperationRecord) => void = () => undefined,
): Promise<{ readonly run: OperationRun; readonly held: HeldOperation }> {
  const { etcd, keys, id, actor, onlyAt, approve = [], signal, onProgress, clock = systemClock } = options;
  const contract = await readContract(etcd, keys);
  const journal = new OperationJournal({ etcd, keys, clock });
  const coordinatorId = newCoordinatorId(clock);
  const phaseAfter = (record: OperationRecord): string => {
    const machine = machineOf(record);
    refuseFinished(machine, record);
    demand(record);
    return machine.advance(machine.phaseOf(record), 'resumed');
  };
  const held = await journal.takeOver({
    id,
    coordinatorId,
    onlyAt,
    approve,
    phaseAfter,
    with: (transaction, before) => {
      const entry = {
        actor,
        action: `${before.kind}.take-over`,
        target: before.cluster,
        operation: id,
        planHash: before.planHash,
        before: { coordinator: before.coordinator.id, phase: before.phase },
        after: {
          coordinator: coordinatorId,
          phase: phaseAfter(before),
          ...(approve.length === 0 ? {} : { approved: approve }),
        },
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  const machine = machineOf(held.value);
  return { held, run: { etcd, keys, contract, journal, clock, machine, signal, onProgress } };
}

/** Throws `operation_past_no_return` or `operation_finished` (exit 4) where an operation can't be given up any more. */
export function refusePastDecision(machine: Machine, record: OperationRecord): void {
  refuseFinished(machine, record);
  const phase = machine.phaseOf(record);
  if (machine.accepts(phase, 'aborted')) return;
  throw refusedError(`operation ${record.id} is past its point of no return: it can only go forward`, {
    code: 'operation_past_no_return',
    next: `capstan operation resume ${record.id}`,
    data: { operation: record.id, phase },
  });
}

/** Another coordinator may have ended it since it was read. */
function refuseFinished(machine: Machine, record: OperationRecord): void {
  const phase = machine.phaseOf(record);
  if (!machine.isFinal(phase)) return;
  throw refusedError(`operation ${record.id} is ${phase} already`, {
    code: 'operation_finished',
    next: `capstan operation show ${record.id}`,
    data: { operation: record.id, phase },
  });
}
