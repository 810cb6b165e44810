import type { MemberRecord } from '../../domain/records.ts';
import { upstreamName } from '../decide-action.ts';
import { readSourceHistory } from '../source-history.ts';
import { readStandbyPosition } from '../standby-position.ts';
import { divergence } from '../timeline-history.ts';
import type { Work } from '../work.ts';
import { quarantine } from './quarantine.ts';

/** Points this standby at the leader, once the leader's history is known to contain everything that is here. */
export async function follow(work: Work, leader: MemberRecord): Promise<void> {
  const { context, postgres, view, signal } = work;
  const { memory, member, logger } = context;
  const own = await readStandbyPosition(postgres.admin);
  const source = await readSourceHistory(context, leader.name);
  const reason = divergence(own, source);
  if (reason !== undefined) {
    // Nothing was ever promised on a clone that isn't registered: it is simply made anew.
    if (view.members.get(member)?.value.incarnation !== memory.value.incarnation) {
      logger.warn({ reason }, 'the clone is of no use');
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
