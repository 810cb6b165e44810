import { type Clock, timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { refusedError, unknownError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import type { Keys } from '../keys.ts';
import { type HeldOperation, OperationJournal, readOperation } from '../operation-journal.ts';
import { newCoordinatorId } from '../operation-record.ts';
import { readContract, revisionOf } from '../store.ts';
import {
  type FailoverProgress,
  type FailoverRun,
  phaseOf,
  planOf,
  readOwnCluster,
  transition,
} from './context.ts';
import { drive } from './drive.ts';
import { accepts, advance, isFinal } from './phases.ts';
import type { FailoverResult } from './run.ts';

const ABORT_TRIES = 5;

export interface ControlFailoverOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly id: string;
  readonly actor: string;
  /** Only as long as the operation is as it was read at this revision: whoever wrote it since is alive. */
  readonly onlyAt?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FailoverProgress) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Takes the operation over from whoever drives it and carries it on; the former coordinator's next write is refused.
 * One that is done or aborted is answered as it is, unchanged. Throws as `runFailover` does once it is fenced.
 */
export async function resumeFailover(options: ControlFailoverOptions): Promise<FailoverResult> {
  const { etcd, keys, id } = options;
  const found = await readOperation({ etcd, keys, id });
  if (isFinal(phaseOf(found.value))) return { changed: false, operation: found.value };
  const { run, held } = await takeOver(options, (record) => {
    refuseFinished(record);
    return advance(phaseOf(record), 'resumed');
  });
  const done = await drive(run, held);
  return { changed: true, operation: done.value };
}

/**
 * Gives an operation up before its decision: the old leader's authority is open again, under one more term. One that is
 * aborted already is answered unchanged; after the decision it is refused (`operation_past_no_return`, exit 4).
 */
export async function abortFailover(
  options: ControlFailoverOptions & { readonly reason?: string | undefined },
): Promise<FailoverResult> {
  const { etcd, keys, id } = options;
  const found = await readOperation({ etcd, keys, id });
  if (phaseOf(found.value) === 'aborted') return { changed: false, operation: found.value };
  refusePastDecision(found.value);
  const { run, held } = await takeOver(options, (record) => {
    refusePastDecision(record);
    return advance(phaseOf(record), 'resumed');
  });
  for (let attempt = 0; attempt < ABORT_TRIES; attempt += 1) {
    const aborted = await abortOnce(run, held, options);
    if (aborted !== undefined) return { changed: true, operation: aborted.value };
  }
  throw unknownError(`operation ${id} can't be aborted: what it reads keeps changing`, {
    code: 'operation_unsettled',
    retryable: true,
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });
}

async function abortOnce(
  run: FailoverRun,
  held: HeldOperation,
  { actor, reason = null }: { readonly actor: string; readonly reason?: string | null | undefined },
): Promise<HeldOperation | undefined> {
  const { id, cluster, planHash } = held.value;
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  const { leader } = planOf(held.value);
  if (leader === null) throw new Error(`operation ${id} fenced a cluster without a leader`);
  const after = nextAuthority(authority.value, { kind: 'abort', leader }, timestampOf(run.clock));
  return transition(run, {
    held,
    event: 'aborted',
    result: { abortedBy: actor, reason, leader, term: after.term },
    with: (transaction) => {
      transaction
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), after)
        .expect(run.keys.activeOperation(cluster), revisionOf(view.activeOperation))
        .delete(run.keys.activeOperation(cluster));
      const entry = {
        actor,
        action: 'failover.abort',
        target: cluster,
        operation: id,
        planHash,
        before: authority.value,
        after,
        reason,
      };
      auditIn(transaction, run.keys, entry, run.clock);
    },
  });
}

function refusePastDecision(record: OperationRecord): void {
  refuseFinished(record);
  const phase = phaseOf(record);
  if (accepts(phase, 'aborted')) return;
  throw refusedError(`operation ${record.id} has decided its leader: it can only go forward`, {
    code: 'operation_past_no_return',
    next: `capstan operation resume ${record.id}`,
    data: { operation: record.id, phase },
  });
}

/** Another coordinator may have ended it since it was read. */
function refuseFinished(record: OperationRecord): void {
  const phase = phaseOf(record);
  if (!isFinal(phase)) return;
  throw refusedError(`operation ${record.id} is ${phase} already`, {
    code: 'operation_finished',
    next: `capstan operation show ${record.id}`,
    data: { operation: record.id, phase },
  });
}

async function takeOver(
  { etcd, keys, id, actor, onlyAt, signal, onProgress, clock = systemClock }: ControlFailoverOptions,
  phaseAfter: (record: OperationRecord) => string,
): Promise<{ readonly run: FailoverRun; readonly held: HeldOperation }> {
  const contract = await readContract(etcd, keys);
  const journal = new OperationJournal({ etcd, keys, clock });
  const coordinatorId = newCoordinatorId(clock);
  const held = await journal.takeOver({
    id,
    coordinatorId,
    onlyAt,
    phaseAfter,
    with: (transaction, before) => {
      const entry = {
        actor,
        action: 'failover.take-over',
        target: before.cluster,
        operation: id,
        planHash: before.planHash,
        before: { coordinator: before.coordinator.id, phase: before.phase },
        after: { coordinator: coordinatorId, phase: phaseAfter(before) },
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  return {
    held,
    run: { etcd, keys, contract, journal, clock, signal, onProgress, fencedAtMonotonicMs: undefined },
  };
}
