import { openLossesOf } from '../../controlplane/loss/naming.ts';
import { Transaction } from '../../controlplane/store.ts';
import type { LossRecord } from '../../domain/loss-records.ts';
import type { MemberRecord } from '../../domain/records.ts';
import { upstreamName } from '../decide-action.ts';
import { mayHoldPromises } from '../promised.ts';
import { readStandbyPosition, receivesNothing } from '../standby-position.ts';
import { divergence } from '../timeline-history.ts';
import type { DataMaker } from '../data-maker.ts';
import type { Work } from '../work.ts';
import { quarantine } from './quarantine.ts';

/**
 * Points this standby at the leader, once the leader's history is known to contain everything that is here. Until all of it is
 * replayed, and nothing more comes, it does nothing and is decided anew.
 */
export async function follow(
  work: Work,
  leader: MemberRecord,
  make: Pick<DataMaker, 'restore'>,
): Promise<void> {
  const { context, postgres, view, signal } = work;
  const { memory, member, logger } = context;
  // A freeze that was killed may have left it paused.
  await postgres.admin.query('select pg_wal_replay_resume()');
  if (!(await receivesNothing(postgres.admin))) {
    await postgres.writeUpstream(null);
    await postgres.reload();
    return;
  }
  // What is here but not replayed may lie past the point where the leader's timeline began.
  const own = await readStandbyPosition(postgres.admin);
  if (await postgres.hasRecordAfter(own)) return;
  const source = await postgres.historyOf(leader.name);
  const switches = await postgres.switchesBefore(own.timeline);
  const reason = divergence({ ...own, switches }, source) ?? (await postgres.whyAnotherLog(leader.name, own));
  if (reason !== undefined) {
    const registered = view.members.get(member)?.value.incarnation === memory.value.incarnation;
    // It was just cloned, or was taken out of the membership and came back.
    if (!registered && !(await mayHoldPromises(context, view))) {
      logger.warn({ reason }, 'this copy is of no use: it is made anew');
      await memory.update({ building: 'clone' });
      return;
    }
    if (await isOwedNothing(work)) {
      logger.warn({ reason }, 'nothing was promised on this data: it is restored');
      await make.restore(work, { operation: null, method: 'rewind', leader });
      return;
    }
    await quarantine(work, reason);
    return;
  }
  // The authority may have changed while the leader was asked: a frozen follower stays frozen.
  if (signal.aborted) return;
  if (!(await clearOfLosses(work))) return;
  await postgres.writeUpstream({ member: leader.name, name: upstreamName(leader) });
  await postgres.reload();
  logger.info({ leader: leader.name, timeline: source.timeline }, 'following');
}

/**
 * No decision was ever acknowledged because an observer held it; what it holds may still be all that is left of one. A learner may
 * have been a voter before: a failover may have lost something since that no loss record names it for.
 */
async function isOwedNothing({ view, context }: Work): Promise<boolean> {
  const role = view.membership?.value.members[context.member]?.role;
  if (role === 'observer') return openLossesOf(view, context.member).length === 0;
  return role === 'learner' && !(await mayHoldPromises(context, view));
}

/**
 * All that is here is a part of the leader's log: whatever a failover lost, nothing of it is here, and each record that waits
 * for this data is told. Afterwards the data grows by the leader's log only. False: decided anew, for something has changed.
 */
async function clearOfLosses({ context, view, authority }: Work): Promise<boolean> {
  const { etcd, keys, cluster, member, memory, logger } = context;
  const { incarnation } = memory.value;
  for (const operation of openLossesOf(view, member)) {
    const loss = view.losses.get(operation);
    const known = loss?.value.members[member];
    if (loss === undefined || known?.state !== 'pending' || known.incarnation !== incarnation) continue;
    const clear = { state: 'salvaged', incarnation, found: 0, waived: null } as const;
    const after: LossRecord = { ...loss.value, members: { ...loss.value.members, [member]: clear } };
    const told = await new Transaction(etcd)
      .expect(keys.authority(cluster), authority.revision)
      .expect(keys.loss(cluster, operation), loss.revision)
      .put(keys.loss(cluster, operation), after)
      .commit();
    if (!told) return false;
    logger.info({ operation }, 'it holds nothing beyond the present log');
  }
  return true;
}
