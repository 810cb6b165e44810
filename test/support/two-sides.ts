/** Two Postgres of which one holds a copy of the other's shards, as logical replication would leave it. */
import type { Client } from 'pg';
import type { ShardId } from '../../src/domain/shard.ts';
import type { Command } from '../../src/reservations/types.ts';
import { SCOPE, startPostgres, type TestPostgres } from './postgres.ts';
import { decided } from './reservation-commands.ts';

const TABLES = [
  'shard_head',
  'issuer_exposure',
  'reservation',
  'reservation_token',
  'outbox',
  'lineage',
] as const;

export interface TwoTestSides {
  /** As the reader's role: what a comparison is given. */
  readonly owner: Client;
  readonly other: Client;
  /** As the superuser, past every trigger. */
  readonly ownerByHand: Client;
  readonly otherByHand: Client;
  decide(shard: ShardId, ...commands: Command[]): Promise<void>;
  /** Makes other's rows of these shards equal to owner's. */
  copy(shards: readonly ShardId[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startTwoSides(): Promise<TwoTestSides> {
  const [from, to] = await Promise.all([startPostgres(), startPostgres()]);
  const [owner, other, gateway] = await Promise.all([
    from.connect('reader'),
    to.connect('reader'),
    from.connect('gateway'),
  ]);
  const [ownerByHand, otherByHand] = await Promise.all([byHand(from), byHand(to)]);
  return {
    owner,
    other,
    ownerByHand,
    otherByHand,
    decide: async (shard, ...commands) => {
      await decided(gateway, { ...SCOPE, shard }, ...commands);
    },
    copy: async (shards) => {
      for (const table of TABLES) {
        const { rows } = await ownerByHand.query<{ all: unknown }>(
          `select coalesce(json_agg(t), '[]') as all from capstan.${table} t where shard_id = any ($1)`,
          [shards],
        );
        await otherByHand.query(`delete from capstan.${table} where shard_id = any ($1)`, [shards]);
        await otherByHand.query(
          `insert into capstan.${table} select * from json_populate_recordset(null::capstan.${table}, $1)`,
          [JSON.stringify(rows[0]?.all)],
        );
      }
    },
    stop: async () => {
      await Promise.all([from.stop(), to.stop()]);
    },
  };
}

async function byHand(postgres: TestPostgres): Promise<Client> {
  const client = await postgres.connect('superuser');
  await client.query('set session_replication_role = replica');
  return client;
}
