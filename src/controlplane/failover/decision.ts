import { timestampOf } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { InSyncRecord } from '../../domain/records.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { nextAuthority } from '../authority.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { revisionOf, type Transaction } from '../store.ts';
import { transition } from '../operation/run.ts';
import { type FailoverRun, planOf, readOwnCluster } from './context.ts';
import { proofOf } from './freeze.ts';
import { decideLeader, type FrozenVoters } from './proof.ts';

/**
 * Stores the fence proof: which voters are frozen, and that the rest can't make the old leader's quorum. The transaction
 * compares each counted report, so that what is stored is what was read.
 */
export async function proofStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { view, proof } = await readProof(run, held);
  const moved = await transition(run, {
    held,
    event: proof.holds ? 'completed' : 'differs',
    result: {
      kind: 'frozen-voters',
      holds: proof.holds,
      needed: proof.needed,
      frozen: proof.frozen.map(({ member, incarnation, timeline, replayedLsn, frozenAt }) => ({
        member,
        incarnation,
        timeline,
        replayedLsn,
        frozenAt,
      })),
      notCounted: proof.missing,
    },
    with: (transaction) => expectEvidence({ run, transaction, view, proof }),
  });
  return moved ?? held;
}

/**
 * The point of no return: leader and exact prefix, in one transaction that compares everything they follow from. The
 * proof is judged anew, for a coordinator may have been paused since it stored it.
 */
export async function decideStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { view, authority, proof } = await readProof(run, held);
  const { id, cluster } = held.value;
  if (!proof.holds) {
    const result = { notCounted: proof.missing };
    return (await transition(run, { held, event: 'differs', result })) ?? held;
  }
  const decision = decideLeader(proof.frozen, planOf(held.value).target);
  if (decision.kind !== 'decided') {
    const why =
      decision.kind === 'target-behind'
        ? `holds less than ${decision.best.member} (${decision.best.replayedLsn} on timeline ${decision.best.timeline})`
        : 'is not frozen';
    throw refusedError(`${decision.target} was asked for, but it ${why}`, {
      code: decision.kind === 'target-behind' ? 'target_behind' : 'target_not_frozen',
      next: `capstan operation abort ${id}, then run the failover without a target`,
      data: { operation: id, target: decision.target },
    });
  }
  const { prefix, order } = decision;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: {
      leader: prefix.member,
      prefix,
      order: order.map(({ member, timeline, replayedLsn }) => ({ member, timeline, replayedLsn })),
    },
    with: (transaction) => {
      expectEvidence({ run, transaction, view, proof });
      const event = { kind: 'decide', leader: prefix.member, prefix } as const;
      transaction
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), nextAuthority(authority.value, event, timestampOf(run.clock)));
    },
  });
  return moved ?? held;
}

async function readProof(run: FailoverRun, held: HeldOperation) {
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  const planned = planOf(held.value);
  const unchanged =
    view.membership?.value.epoch === planned.epoch && sameSet(view.inSync?.value ?? null, planned.inSync);
  const proof = proofOf(held, view);
  if (proof !== undefined && unchanged) return { view, authority, proof };
  throw refusedError(`the membership or in-sync set of ${held.value.cluster} changed after the fence`, {
    code: 'in_sync_changed',
    next: `capstan operation abort ${held.value.id}`,
    data: { operation: held.value.id, planned: planned.inSync, found: view.inSync?.value ?? null },
  });
}

const sameSet = (a: InSyncRecord | null, b: InSyncRecord | null) => canonicalJson(a) === canonicalJson(b);

function expectEvidence(about: {
  readonly run: FailoverRun;
  readonly transaction: Transaction;
  readonly view: ClusterView;
  readonly proof: FrozenVoters;
}): void {
  const { run, transaction, view, proof } = about;
  transaction
    .expect(run.keys.inSync(view.name), revisionOf(view.inSync))
    .expect(run.keys.membership(view.name), revisionOf(view.membership));
  for (const { member } of proof.frozen)
    transaction.expect(run.keys.frozenReport(view.name, member), revisionOf(view.frozen.get(member)));
}
