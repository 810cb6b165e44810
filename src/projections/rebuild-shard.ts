import type { ClientBase } from 'pg';
import { refusedError } from '../domain/errors.ts';
import { CHAIN_START, type LogEntry } from '../domain/log-entry.ts';
import { ownerAt } from './judge-log.ts';
import type { LineageEntry } from '../domain/shard-log.ts';
import type { ProjectionStore } from './store-port.ts';
import { advance, lockWatermark, setState } from './watermark-sql.ts';

/** A page of the log may be long in coming, and a shard's rows in going. */
const IDLE_MS = 60_000;
const STATEMENT_MS = 600_000;

type Request = Parameters<ProjectionStore['rebuild']>[0];

/** Two transactions: the first says that it began (whoever finds it unfinished begins anew), the second folds. */
export async function rebuildShard(
  client: ClientBase,
  request: Request,
): ReturnType<ProjectionStore['rebuild']> {
  await inTransaction(client, () => begin(client, request));
  return inTransaction(client, () => fold(client, request));
}

async function begin(client: ClientBase, { shard, why, by }: Request): Promise<void> {
  const at = await lockWatermark(client, shard);
  if (at.paused) {
    throw refusedError(`shard ${shard} of the projections is paused`, {
      code: 'projection_paused',
      next: `capstan projection resume`,
      data: { shard },
    });
  }
  if (at.rebuildReason === null) {
    await client.query(
      'insert into projection.rebuild (shard_id, reason, requested_by) values ($1, $2, $3)',
      [shard, why, by],
    );
  }
  await setState(client, { shard, state: 'rebuilding', why: at.rebuildReason ?? why });
}

async function fold(
  client: ClientBase,
  { cluster, shard, lineage, pages }: Request,
): ReturnType<ProjectionStore['rebuild']> {
  await client.query(
    `select set_config('idle_in_transaction_session_timeout', $1, true), set_config('statement_timeout', $2, true)`,
    [String(IDLE_MS), String(STATEMENT_MS)],
  );
  const from = (await lockWatermark(client, shard)).position;
  await client.query('select projection.forget_rows($1)', [shard]);
  await client.query(
    `update projection.watermark
      set position = 0, generation = 0, term = 0, decided_at = null, as_of = null, source = null
      where shard_id = $1`,
    [shard],
  );
  let position = 0n;
  let at: { chain: Buffer; lastEntry: string | null } = { chain: CHAIN_START, lastEntry: null };
  for await (const entries of pages) {
    position = demandWhole(shard, position, entries, lineage);
    at = await advance(client, { shard, at, entries, cluster, source: null, asOf: null });
  }
  // Also of an empty log, which no page has advanced.
  if (position === 0n) await advance(client, { shard, at, entries: [], cluster, source: null, asOf: null });
  await client.query('update projection.watermark set rebuilds = rebuilds + 1 where shard_id = $1', [shard]);
  await client.query(
    `update projection.rebuild
      set from_position = $2, to_position = $3, finished_at = pg_catalog.clock_timestamp()
      where shard_id = $1 and finished_at is null`,
    [shard, from, position.toString()],
  );
  await client.query('set local synchronous_commit = on');
  return { position: position.toString(), entries: Number(position) };
}

/** A failover between two pages would mix two logs; each entry must be of the authority that the lineage names. */
function demandWhole(
  shard: number,
  after: bigint,
  entries: readonly LogEntry[],
  lineage: readonly LineageEntry[],
): bigint {
  let position = after;
  for (const entry of entries) {
    position += 1n;
    const owner = ownerAt(lineage, position);
    if (
      entry.position === position.toString() &&
      owner?.generation === entry.generation &&
      owner.term === entry.term
    ) {
      continue;
    }
    throw refusedError(`the log of shard ${shard} is not whole at position ${position}`, {
      code: 'projection_log_broken',
      retryable: true,
      data: { shard, position: position.toString(), found: entry.position },
    });
  }
  return position;
}

async function inTransaction<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
