import type { ClientBase } from 'pg';
import { chainAfter, canonicalEntry, type LogEntry } from '../domain/log-entry.ts';
import type { Standing } from './judge-log.ts';

export interface LockedWatermark extends Standing {
  readonly chain: Buffer;
  readonly state: 'live' | 'gap' | 'forked' | 'rebuilding';
  readonly stateReason: string | null;
  readonly paused: boolean;
  /** Of a rebuild that was asked for, or begun, and isn't finished. */
  readonly rebuildReason: string | null;
}

const LOCK = `
  select w.position, w.generation, w.term, w.chain, w.last_entry as "lastEntry", w.state, w.state_reason as "stateReason",
      exists (select from projection.pause p where p.shard_id is null or p.shard_id = w.shard_id) as paused,
      (select r.reason from projection.rebuild r where r.shard_id = w.shard_id and r.finished_at is null
        order by r.rebuild_id limit 1) as "rebuildReason"
    from projection.watermark w
    where w.shard_id = $1
    for update of w`;

/** Locks a shard's watermark until the transaction ends; makes the first one of a shard. */
export async function lockWatermark(client: ClientBase, shard: number): Promise<LockedWatermark> {
  const lock = () => client.query<LockedWatermark>({ name: 'lock-watermark', text: LOCK, values: [shard] });
  const found = (await lock()).rows[0];
  if (found !== undefined) return found;
  await client.query('insert into projection.watermark (shard_id) values ($1) on conflict do nothing', [
    shard,
  ]);
  const made = (await lock()).rows[0];
  if (made === undefined) throw new Error(`shard ${shard} has no watermark`);
  return made;
}

/** Writes entries that follow on a locked watermark, and the watermark after them; their commit doesn't wait for the disk. */
export async function advance(
  client: ClientBase,
  options: {
    readonly shard: number;
    readonly at: Pick<LockedWatermark, 'chain' | 'lastEntry'>;
    readonly entries: readonly LogEntry[];
    readonly cluster: string;
    readonly source: string | null;
    /** Null: something may be left behind. */
    readonly asOf: string | null;
  },
): Promise<{ readonly chain: Buffer; readonly lastEntry: string | null }> {
  const { shard, at, entries } = options;
  let { chain, lastEntry } = at;
  for (const entry of entries) chain = chainAfter(chain, entry);
  const last = entries.at(-1);
  if (last !== undefined) lastEntry = canonicalEntry(last);
  await client.query({
    name: 'advance',
    text: `select pg_catalog.set_config('synchronous_commit', 'off', true),
        projection.advance($1, $2::jsonb, $3, $4, $5, $6, $7::timestamptz)`,
    values: [shard, JSON.stringify(entries), chain, lastEntry, options.cluster, options.source, options.asOf],
  });
  return { chain, lastEntry };
}

/** Says what was found of a locked shard; nobody speaks for it until it is live again. */
export async function setState(
  client: ClientBase,
  options: { readonly shard: number; readonly state: 'gap' | 'forked' | 'rebuilding'; readonly why: string },
): Promise<void> {
  await client.query('select projection.unlink_source(array[$1::integer])', [options.shard]);
  await client.query('update projection.watermark set state = $2, state_reason = $3 where shard_id = $1', [
    options.shard,
    options.state,
    options.why,
  ]);
}
