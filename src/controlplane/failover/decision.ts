import { timestampOf } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import { nextAuthority } from '../authority.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { transition } from '../operation/run.ts';
import { type FailoverRun, readOwnCluster } from './context.ts';
import { demandPlannedSet, expectEvidence } from './evidence.ts';
import { planOf } from './plan-types.ts';
import { proofOf } from './freeze.ts';
import { type Decision, decideLeader } from './proof.ts';

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
    with: (transaction) => expectEvidence({ run, transaction, view, frozen: proof.frozen }),
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
  const { prefix, order } = demandDecided(id, decideLeader(proof.frozen, planOf(held.value).target));
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: {
      leader: prefix.member,
      prefix,
      order: order.map(({ member, timeline, replayedLsn }) => ({ member, timeline, replayedLsn })),
    },
    with: (transaction) => {
      expectEvidence({ run, transaction, view, frozen: proof.frozen });
      const event = { kind: 'decide', leader: prefix.member, prefix } as const;
      transaction
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), nextAuthority(authority.value, event, timestampOf(run.clock)));
    },
  });
  return moved ?? held;
}

/** Throws `target_behind`, `target_not_frozen` (exit 4). */
export function demandDecided(
  id: string,
  decision: Decision,
): Extract<Decision, { readonly kind: 'decided' }> {
  if (decision.kind === 'decided') return decision;
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

async function readProof(run: FailoverRun, held: HeldOperation) {
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  demandPlannedSet(held.value, view);
  const proof = proofOf(held, view);
  // An in-region plan without a record is refused, so the one that was planned with is there.
  if (proof === undefined)
    throw new Error(`operation ${held.value.id} was planned without an in-sync record`);
  return { view, authority, proof };
}
