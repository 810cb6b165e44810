import type { MemberRecord } from '../../domain/records.ts';
import type { RejoinMethod } from '../../domain/rejoin-records.ts';
import { upstreamName } from '../decide-action.ts';
import type { AgentContext } from '../context.ts';
import { newIncarnation } from '../incarnation.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { Work } from '../work.ts';
import { demandSource, rewind } from './rewind.ts';

const STOP_STEP_MS = 30_000;

/**
 * Makes this member's data anew from the leader's: rewound, or left as half a data directory, which is thrown away and
 * cloned. Before a byte changes the memory says so, under a new incarnation: killed from then on, it is cloned.
 */
export async function restore(
  work: Work,
  { context, postgres }: { readonly context: AgentContext; readonly postgres: LocalPostgres },
  about: { readonly operation: string | null; readonly method: RejoinMethod; readonly leader: MemberRecord },
): Promise<void> {
  const { authority, signal } = work;
  const { memory, logger, clock } = context;
  const { operation, method, leader } = about;
  if (method === 'rewind') await demandSource(context, postgres, leader.name);
  // It must have been shut down cleanly to be rewound.
  await postgres.stop('fast', STOP_STEP_MS);
  if (signal.aborted) return;
  const begun = {
    operation,
    formerIncarnation: memory.value.incarnation,
    term: authority.value.term,
    method: 'reclone',
    reason: method === 'reclone' ? 'asked for' : 'the rewind was not finished',
    proved: true,
  } as const;
  await memory.update({
    building: 'clone',
    incarnation: newIncarnation(clock),
    quarantine: null,
    opened: 'standby',
    ledTerm: 0,
    promotingTerm: null,
    restore: begun,
  });
  if (method === 'reclone') return;
  logger.info({ leader: leader.name, incarnation: memory.value.incarnation }, 'rewinding');
  const doubt = await rewind(context, postgres, { leader: leader.name, signal });
  if (doubt !== undefined) {
    logger.warn({ reason: doubt }, 'not rewound: it is cloned anew');
    await memory.update({ restore: { ...begun, reason: doubt } });
    return;
  }
  await postgres.markStandby();
  // It becomes consistent only with what the source wrote meanwhile, so it is started as its follower.
  await postgres.writeUpstream({ member: leader.name, name: upstreamName(leader) });
  await memory.update({
    building: null,
    restore: { ...begun, method: 'rewind', reason: null, proved: false },
  });
}
