import { messageOf } from '../../domain/errors.ts';
import { parseLsn } from '../../domain/lsn.ts';
import type { MemberRecord } from '../../domain/records.ts';
import { reclone } from '../actions/reclone.ts';
import { askLeader } from '../ask-leader.ts';
import type { AgentContext } from '../context.ts';
import { upstreamName } from '../decide-action.ts';
import { BARRIER_NAMES } from '../follower-name.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { Work } from '../work.ts';

/** So long may replay stand still before the rewound data is given up. */
const STALL_MS = 60_000;
const POLL_MS = 100;

const LINEAGE = `
  select md5(coalesce(string_agg(concat_ws('/', shard_id, generation, term, first_position, cluster), ',' order by
    shard_id, generation, term), '')) as digest from capstan.lineage`;

/**
 * Starts rewound data as the leader's follower and demands that it streams on the leader's timeline, replays all that the
 * leader had, and then holds the leader's lineage. Any difference, and any stall, makes it be cloned anew.
 */
export async function prove(
  work: Work,
  { context, postgres }: { readonly context: AgentContext; readonly postgres: LocalPostgres },
  leader: MemberRecord,
): Promise<void> {
  const { signal } = work;
  const { memory, logger } = context;
  await postgres.writeUpstream({ member: leader.name, name: upstreamName(leader) });
  if ((await postgres.pid()) === undefined) {
    await postgres.writeSyncNames(BARRIER_NAMES);
    try {
      await postgres.start(signal);
    } catch (error) {
      await reclone(work, `rewound data does not come up: ${messageOf(error)}`);
      return;
    }
  }
  const { timeline, flushedLsn } = await postgres.historyOf(leader.name);
  const lineage = await lineageOf(context, leader.name);
  const caughtUp = await streamsUpTo(work, postgres, { timeline, lsn: flushedLsn });
  if (signal.aborted) return;
  if (!caughtUp) {
    await reclone(work, `rewound data does not reach ${flushedLsn} on timeline ${timeline}`);
    return;
  }
  const { digest } = await postgres.admin.one<{ digest: string }>(LINEAGE);
  // The leader's own may have grown meanwhile.
  if (digest !== lineage && digest !== (await lineageOf(context, leader.name))) {
    await reclone(work, 'rewound data holds another lineage than its leader');
    return;
  }
  const { restore } = memory.value;
  if (restore !== null) await memory.update({ restore: { ...restore, proved: true } });
  logger.info({ leader: leader.name, timeline }, 'rewound, and equal to the leader');
}

const lineageOf = (context: AgentContext, leader: string): Promise<string | undefined> =>
  askLeader(
    context,
    leader,
    async (client) => (await client.query<{ digest: string }>(LINEAGE)).rows[0]?.digest,
  );

interface StreamRow {
  readonly timeline: number | null;
  readonly lsn: string | null;
}

/** False: replay stood still for too long. */
async function streamsUpTo(
  { context, signal }: Work,
  postgres: LocalPostgres,
  goal: { readonly timeline: number; readonly lsn: string },
): Promise<boolean> {
  const { clock } = context;
  const wanted = parseLsn(goal.lsn) ?? 0n;
  let furthest = -1n;
  let movedAt = clock.monotonicMs();
  while (!signal.aborted && clock.monotonicMs() - movedAt < STALL_MS) {
    const [row] = await postgres.admin
      .query<StreamRow>(
        `select pg_last_wal_replay_lsn()::text as lsn,
           (select received_tli from pg_stat_wal_receiver where status = 'streaming') as timeline`,
      )
      .catch((): StreamRow[] => []);
    const replayed = row?.lsn === null || row === undefined ? -1n : (parseLsn(row.lsn) ?? -1n);
    if (row?.timeline === goal.timeline && replayed >= wanted) return true;
    if (replayed > furthest) {
      furthest = replayed;
      movedAt = clock.monotonicMs();
    }
    await clock.sleep(POLL_MS, signal);
  }
  return false;
}
