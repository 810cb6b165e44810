import type pg from 'pg';
import { formatAmount } from '../domain/money.ts';
import { closeConnection } from '../postgres/connection.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';
import { connectTo } from './connect-to.ts';
import type { HistoryEntry, LogLine } from './history/types.ts';

const QUERY_TIMEOUT_MS = 20_000;

export interface ClusterShards {
  readonly cluster: string;
  readonly leader: string;
  readonly shards: readonly number[];
}

/** Each shard's position at its authority now. A shard without a head stands at 0. */
export async function readBases(
  environment: SandboxEnvironment,
  { leader, shards }: ClusterShards,
): Promise<ReadonlyMap<number, string>> {
  return withReader(environment, leader, async (client) => {
    const heads = await readHeads(client, shards);
    return new Map(shards.map((shard) => [shard, heads.get(shard) ?? '0']));
  });
}

interface LineageRow {
  readonly shard_id: number;
  readonly generation: number;
  readonly term: number;
  readonly first_position: string;
  readonly cluster: string;
  readonly reason: string;
}
interface LogRow {
  readonly shard_id: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly event: LogLine['event'];
  readonly issuer_id: string;
  readonly reservation_token: string;
  readonly reservation_id: string | null;
  readonly amount_cents: string | null;
  readonly reserved_after: string | null;
  readonly limit_after: string | null;
}

/**
 * A cluster's shards in one snapshot, as lines of a history: each shard's head, then its lineage, then every entry of its log
 * after its base.
 */
export async function readShardLines(
  environment: SandboxEnvironment,
  { cluster, leader, shards }: ClusterShards,
  bases: ReadonlyMap<number, string>,
): Promise<HistoryEntry[]> {
  return withReader(environment, leader, async (client) => {
    await client.query('begin isolation level repeatable read read only');
    const heads = await readHeads(client, shards);
    const { rows: lineage } = await client.query<LineageRow>(
      `select shard_id, generation, term, first_position::text, cluster, reason from capstan.lineage
         where shard_id = any($1) order by shard_id, first_position, generation, term`,
      [shards],
    );
    const { rows: log } = await client.query<LogRow>(
      `select o.shard_id, o.position::text, o.generation, o.term, o.event, o.issuer_id, o.reservation_token,
              o.reservation_id, o.amount_cents::text, o.reserved_after::text, o.limit_after::text
         from unnest($1::int[], $2::bigint[]) as b(shard, base)
         join capstan.outbox o on o.shard_id = b.shard and o.position > b.base
         order by o.shard_id, o.position`,
      [shards, shards.map((shard) => bases.get(shard) ?? '0')],
    );
    const lineageOf = Map.groupBy(lineage, ({ shard_id: shard }) => shard);
    const logOf = Map.groupBy(log, ({ shard_id: shard }) => shard);
    return shards.flatMap((shard): HistoryEntry[] => [
      { kind: 'head', shard, cluster, position: heads.get(shard) ?? '0' },
      ...(lineageOf.get(shard) ?? []).map(lineageLine),
      ...(logOf.get(shard) ?? []).map(logLine),
    ]);
  });
}

async function readHeads(client: pg.Client, shards: readonly number[]): Promise<Map<number, string>> {
  const { rows } = await client.query<{ shard_id: number; position: string }>(
    'select shard_id, position::text from capstan.shard_head where shard_id = any($1)',
    [shards],
  );
  return new Map(rows.map(({ shard_id: shard, position }) => [shard, position]));
}

const lineageLine = ({ shard_id: shard, ...row }: LineageRow): HistoryEntry => ({
  kind: 'lineage',
  shard,
  ...row,
});

const logLine = (row: LogRow): HistoryEntry => ({
  kind: 'log',
  shard: row.shard_id,
  position: row.position,
  generation: row.generation,
  term: row.term,
  event: row.event,
  issuer: row.issuer_id,
  token: row.reservation_token,
  reservation: row.reservation_id,
  amount: decimal(row.amount_cents),
  reserved_after: decimal(row.reserved_after),
  limit_after: decimal(row.limit_after),
});

const decimal = (cents: string | null): string | null =>
  cents === null ? null : formatAmount(BigInt(cents));

async function withReader<T>(
  environment: SandboxEnvironment,
  member: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectTo({ environment, member, role: 'reader', queryTimeoutMs: QUERY_TIMEOUT_MS });
  try {
    return await use(client);
  } finally {
    await closeConnection(client);
  }
}
