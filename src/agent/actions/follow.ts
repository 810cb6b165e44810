import type { MemberRecord } from '../../domain/records.ts';
import { upstreamName } from '../decide-action.ts';
import { mayHoldPromises } from '../promised.ts';
import { readStandbyPosition, receivesNothing } from '../standby-position.ts';
import { divergence } from '../timeline-history.ts';
import type { Work } from '../work.ts';
import { quarantine } from './quarantine.ts';

/**
 * Points this standby at the leader, once the leader's history is known to contain everything that is here. Until all of it is
 * replayed, and nothing more comes, it does nothing and is decided anew.
 */
export async function follow(work: Work, leader: MemberRecord): Promise<void> {
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
  const reason = divergence(own, source);
  if (reason !== undefined) {
    const registered = view.members.get(member)?.value.incarnation === memory.value.incarnation;
    const role = view.membership?.value.members[member]?.role;
    // A member that isn't registered was just cloned, or was taken out and came back; nothing is promised on a learner now.
    const replaceable = !registered || role === 'learner';
    if (replaceable && !(await mayHoldPromises(context, view))) {
      logger.warn({ reason }, 'this copy is of no use: it is made anew');
      await memory.update({ building: 'clone' });
      return;
    }
    await quarantine(work, reason);
    return;
  }
  // The authority may have changed while the leader was asked: a frozen follower stays frozen.
  if (signal.aborted) return;
  await postgres.writeUpstream({ member: leader.name, name: upstreamName(leader) });
  await postgres.reload();
  logger.info({ leader: leader.name, timeline: source.timeline }, 'following');
}
