import { timestampOf } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { DecidedPrefix } from '../../domain/records.ts';
import { nextAuthority } from '../authority.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { transition } from '../operation/run.ts';
import { readProgress } from '../progress.ts';
import { ABSENT, revisionOf } from '../store.ts';
import { acceptedLoss } from './approvals.ts';
import { type FailoverRun, readOwnCluster } from './context.ts';
import { demandDecided } from './decision.ts';
import { demandPlannedSet, expectEvidence } from './evidence.ts';
import { forecastLoss, type LossForecast } from './loss-forecast.ts';
import { leaderProgress, rightEndsAtMs } from './loss-inputs.ts';
import { lossRecordOf } from './loss-record.ts';
import { planOf } from './plan-types.ts';
import { decideLeader } from './proof.ts';
import { frozenCandidates } from './regional-freeze.ts';

/**
 * The point of no return: leader, exact prefix and the record of what may be lost, in one transaction that compares everything
 * they follow from. The loss is judged by what is frozen now, and above what was foreseen and accepted a person is asked.
 */
export async function regionalDecideStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { view, authority } = await readOwnCluster(run, held, 'fenced');
  demandPlannedSet(held.value, view);
  const { id, cluster } = held.value;
  const { frozen, missing } = frozenCandidates(held, view);
  if (frozen.length === 0)
    return (await transition(run, { held, event: 'differs', result: { notCounted: missing } })) ?? held;
  const { prefix, order } = demandDecided(id, decideLeader(frozen, planOf(held.value).target));
  const loss = await judgeLoss(run, held, { view, prefix });
  const at = timestampOf(run.clock);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: {
      leader: prefix.member,
      prefix,
      order: order.map(({ member, timeline, replayedLsn }) => ({ member, timeline, replayedLsn })),
      loss,
    },
    with: (transaction) => {
      expectEvidence({ run, transaction, view, frozen });
      for (const { member } of frozen)
        transaction.expect(run.keys.member(cluster, member), revisionOf(view.members.get(member)));
      const event = { kind: 'decide', leader: prefix.member, prefix } as const;
      transaction
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), nextAuthority(authority.value, event, at))
        .expect(run.keys.loss(cluster, id), ABSENT)
        .put(run.keys.loss(cluster, id), lossRecordOf({ operation: held.value, view, prefix, at }));
    },
  });
  return moved ?? held;
}

interface JudgedLoss extends Pick<
  LossForecast,
  'known' | 'possible' | 'total' | 'bytes' | 'shards' | 'basis'
> {
  readonly accepted: number | null;
  readonly allowed: number;
}

/** Throws `loss_exceeds_plan` (exit 4): more than was foreseen with its margin, and more than anybody has accepted. */
async function judgeLoss(
  run: FailoverRun,
  held: HeldOperation,
  { view, prefix }: { readonly view: ClusterView; readonly prefix: DecidedPrefix },
): Promise<JudgedLoss> {
  const { id, cluster } = held.value;
  const plan = planOf(held.value);
  const former = { leader: plan.leader, term: plan.term };
  const progress = await readProgress(run.etcd, run.keys, cluster);
  const found = forecastLoss({
    leader: leaderProgress({ view, progress, former }),
    target: { ...prefix, replayedUntil: null },
    rightEndsAtMs: rightEndsAtMs(
      { view, former },
      { contract: run.contract, nowMs: run.clock.wallMs(), fenced: true },
    ),
    claimBoundMs: null,
    budgetMs: run.contract.rpo.budgetMs,
  });
  const { known, possible, total, bytes, shards, basis } = found;
  const accepted = acceptedLoss(held.value);
  const allowed = Math.max(plan.loss.forecast?.atMost ?? 0, accepted ?? 0);
  // Who accepts a loss that isn't known has accepted just that.
  const passes = total === null ? accepted !== null : total <= allowed;
  if (passes) return { known, possible, total, bytes, shards, basis, accepted, allowed };
  throw refusedError(
    total === null
      ? `what ${prefix.member} would lose is not known any more, and nobody has accepted that: ${basis.join('; ')}`
      : `${prefix.member} would lose up to ${total} decisions (${known} known, ${possible} possible), and ${allowed} were foreseen or accepted`,
    {
      code: 'loss_exceeds_plan',
      next: `capstan operation resume ${id} --accept-loss ${total ?? 'N'}, or capstan operation abort ${id}`,
      data: { operation: id, known, possible, total, allowed, accepted },
    },
  );
}
