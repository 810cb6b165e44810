import { CapstanError, ExitCode } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { AuthorityPhase, AuthorityRecord } from '../../domain/records.ts';
import { type ClusterView, readClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import type { OperationRun } from '../operation/run.ts';
import type { Versioned } from '../store.ts';
import { planOf } from './plan-types.ts';

export interface FailoverRun extends OperationRun {
  /** This process's monotonic clock before the fence was sent; undefined in a resumed run, which then measures by the wall clock. */
  readonly fencedAtMonotonicMs: number | undefined;
  /** This process's monotonic clock once its fence, or its take-over, had returned: no renewal succeeded after that. */
  readonly heldSinceMonotonicMs: number;
}

/** The term that this operation fences and opens under. */
export const termOf = (record: OperationRecord): number => planOf(record).nextTerm;

/**
 * Reads the cluster and demands that its authority is where this operation left it, and that no other coordinator has
 * taken over (`operation_superseded`). Anything else was not written by Capstan: `authority_mismatch` (exit 1).
 */
export async function readOwnCluster(
  run: OperationRun,
  held: HeldOperation,
  phase: AuthorityPhase,
  term = termOf(held.value),
): Promise<{ readonly view: ClusterView; readonly authority: Versioned<AuthorityRecord> }> {
  const { cluster, id } = held.value;
  const [view] = await Promise.all([
    readClusterView(run.etcd, run.keys, cluster),
    run.journal.assertHeld(held),
  ]);
  const authority = view?.authority;
  const ours =
    authority?.value.phase === phase &&
    authority.value.term === term &&
    (phase === 'open' || authority.value.operation === id);
  if (view !== undefined && authority !== undefined && ours) return { view, authority };
  // The operation may have moved between the two reads; then that is the truth to tell.
  await run.journal.assertHeld(held);
  throw new CapstanError(
    `cluster ${cluster} is not in phase ${phase} under term ${term} as operation ${id} left it`,
    {
      code: 'authority_mismatch',
      exit: ExitCode.bug,
      next: `capstan cluster show ${cluster}`,
      data: { operation: id, authority: authority?.value ?? null },
    },
  );
}
