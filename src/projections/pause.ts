import type { SqlClient } from '../postgres/sql-client.ts';

export interface PauseOptions {
  readonly client: SqlClient;
  /** Null: all, those that come later included. */
  readonly shards: readonly number[] | null;
  readonly reason: string;
  readonly operator: string;
}

/** Nothing is applied to these shards from now on; their rows stay, and age. Returns the shards (null: all) that weren't paused before. */
export async function pauseProjections(options: PauseOptions): Promise<readonly (number | null)[]> {
  const { client, shards, reason, operator } = options;
  const { rows } = await client.query<{ shard_id: number | null }>(
    `insert into projection.pause (shard_id, reason, operator)
      select s, $2, $3 from unnest($1::integer[]) s on conflict (shard_id) do nothing returning shard_id`,
    [shards ?? [null], reason, operator],
  );
  return rows.map(({ shard_id: shard }) => shard);
}

/** Takes pauses back: that of all shards for null, else those of these. Returns the ones that there were. */
export async function resumeProjections({
  client,
  shards,
}: Pick<PauseOptions, 'client' | 'shards'>): Promise<readonly (number | null)[]> {
  const { rows } = await client.query<{ shard_id: number | null }>(
    shards === null
      ? 'delete from projection.pause where shard_id is null returning shard_id'
      : 'delete from projection.pause where shard_id = any ($1::integer[]) returning shard_id',
    shards === null ? [] : [shards],
  );
  return rows.map(({ shard_id: shard }) => shard);
}
