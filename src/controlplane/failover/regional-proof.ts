import { timestampOf } from '../../clock/clock.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { revisionOf, type Transaction, type Versioned } from '../store.ts';
import { type FailoverRun, readOwnCluster, termOf } from './context.ts';
import { demandPlannedSet, expectEvidence, expectPlannedSet } from './evidence.ts';
import { type FenceProof, fenceProof, proofStatement } from './fence-proof.ts';
import { proofOf } from './freeze.ts';
import { leaseWaitMs } from './rto-forecast.ts';

interface Proved {
  readonly view: ClusterView;
  readonly authority: Versioned<AuthorityRecord>;
  readonly proof: FenceProof;
}

/**
 * Waits until the old leader provably confirms nothing any more, whatever proves it first, and stores that. From the same
 * transaction on all freeze. A resumed run waits its right out in full again: only what this process has seen counts.
 */
export async function regionalProofStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const waited = await waitFor({
    check: () => look(run, held),
    // The wait itself always ends; the rest is for an etcd that can't be reached meanwhile.
    timeoutMs:
      leaseWaitMs((await readOwnCluster(run, held, 'fenced')).view, run.contract) +
      run.contract.deadlines.freezeMs,
    signal: run.signal,
    clock: run.clock,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  if (waited.kind === 'timed-out') {
    throw stalled({
      record: held.value,
      code: 'proof_incomplete',
      message: `nothing proves yet that the old leader of ${held.value.cluster} can confirm nothing any more`,
      lastError: waited.lastError,
    });
  }
  const proved = waited.value;
  const statement = proofStatement(proved.proof);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { ...evidenceOf(proved.proof), statement, holds: true },
    with: (transaction) => store(run, held, { transaction, proved, statement }),
  });
  return moved ?? held;
}

async function look(run: FailoverRun, held: HeldOperation): Promise<Proved | undefined> {
  // Before the records are read: what is seen then is no older than the wait.
  const waitedMs = run.clock.monotonicMs() - run.heldSinceMonotonicMs;
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  demandPlannedSet(held.value, view);
  const neededMs = leaseWaitMs(view, run.contract);
  const proof = fenceProof({
    operation: held.value,
    term: termOf(held.value),
    view,
    frozen: proofOf(held, view),
    waitedMs,
    neededMs,
  });
  if (proof !== undefined) return { view, authority, proof };
  const leftMs = Math.ceil(neededMs - waitedMs);
  report(run, held.value, {
    state: 'waiting',
    detail: `for the old leader’s report, or for ${formatDurationMs(leftMs)} until its right has ended`,
  });
  return undefined;
}

function store(
  run: FailoverRun,
  held: HeldOperation,
  about: { readonly transaction: Transaction; readonly proved: Proved; readonly statement: string },
): void {
  const { transaction, proved, statement } = about;
  const { view, authority, proof } = proved;
  const { id, cluster, actor, planHash } = held.value;
  const after = nextAuthority(authority.value, { kind: 'proved' }, timestampOf(run.clock));
  transaction.expect(run.keys.authority(cluster), authority.revision).put(run.keys.authority(cluster), after);
  if (proof.kind === 'frozen-voters') expectEvidence({ run, transaction, view, frozen: proof.frozen.frozen });
  else expectPlannedSet({ run, transaction, view });
  if (proof.kind === 'agent-report') {
    const { member } = proof.report;
    transaction.expect(run.keys.stopReport(cluster, member), revisionOf(view.stopped.get(member)));
  }
  const entry = {
    actor,
    action: 'failover.proof',
    target: cluster,
    operation: id,
    planHash,
    before: authority.value,
    after: { ...evidenceOf(proof), authority: after },
    reason: statement,
  };
  auditIn(transaction, run.keys, entry, run.clock);
}

function evidenceOf(proof: FenceProof): Readonly<Record<string, unknown>> {
  if (proof.kind !== 'frozen-voters') return { ...proof };
  const { needed, frozen } = proof.frozen;
  return {
    kind: proof.kind,
    needed,
    frozen: frozen.map(({ member, incarnation, timeline, replayedLsn, frozenAt }) => ({
      member,
      incarnation,
      timeline,
      replayedLsn,
      frozenAt,
    })),
  };
}
