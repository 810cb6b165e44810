import type { Pool, PoolClient } from 'pg';
import { CapstanError, refusedError } from '../domain/errors.ts';
import {
  createPool,
  dropConnection,
  type PoolOptions,
  sqlStateOf,
  unreachable,
} from '../postgres/connection.ts';
import { judgeLog } from './judge-log.ts';
import { rebuildShard } from './rebuild-shard.ts';
import type { Applied, ProjectionStore } from './store-port.ts';
import { advance, type LockedWatermark, lockWatermark, setState } from './watermark-sql.ts';

/** Lock timeout, deadlock, serialization: somebody else was first. */
const BUSY: ReadonlySet<string> = new Set(['55P03', '40P01', '40001']);
/** Postgres ended the connection, or is starting or ending. */
const ENDED = /^(08|57P)/;

/**
 * The projections in a Postgres of their own, written under the projector's role.
 *
 * Entries are applied with `synchronous_commit=off`: a crash of the projections' Postgres may lose the last commits, but always a
 * tail of all of them in their order, and rows go with their watermark. So every shard stands at an earlier watermark, whose rows are the fold
 * up to it (P1) and whose `as_of` and source are those of then or older (P3), and is read again from there. What outlives a crash in somebody's memory
 * is the position that a projector believes to be applied: a mark names it, and speaks for no shard that stands below. What a person asked for
 * or must know of (a fork, a gap, a rebuild begun or done) waits for the disk.
 */
export class PostgresStore implements ProjectionStore {
  readonly #pool: Pool;
  readonly #where: PoolOptions;
  /** The highest positions that this process has seen applied. */
  readonly #seen = new Map<number, string>();

  private constructor(pool: Pool, where: PoolOptions) {
    this.#pool = pool;
    this.#where = where;
  }

  /** Connects on demand, as `connectionsMax` allows. `lockTimeoutMs` bounds the wait for another process that has the shard. */
  static async open(options: PoolOptions): Promise<PostgresStore> {
    return new PostgresStore(await createPool(options), options);
  }

  async watermarks(shards: readonly number[]): ReturnType<ProjectionStore['watermarks']> {
    const { rows } = await this.#with((client) =>
      client.query<{ shard: number; position: string; state: string }>(
        'select shard_id as shard, position, state from projection.watermark where shard_id = any ($1::integer[])',
        [shards],
      ),
    );
    const found = new Map(rows.map(({ shard, position, state }) => [shard, { position, state }]));
    for (const shard of shards) {
      if (!found.has(shard)) found.set(shard, { position: '0', state: 'live' });
      this.#seen.set(shard, found.get(shard)?.position ?? '0');
    }
    return found;
  }

  async apply(request: Parameters<ProjectionStore['apply']>[0]): Promise<Applied> {
    const { log } = request;
    const applied = await this.#transaction(async (client) => {
      const at = await lockWatermark(client, log.shard);
      return this.#apply(client, at, request);
    });
    if (applied.kind === 'applied') this.#seen.set(log.shard, applied.position);
    return applied;
  }

  async rebuild(request: Parameters<ProjectionStore['rebuild']>[0]): ReturnType<ProjectionStore['rebuild']> {
    const done = await this.#with((client) => rebuildShard(client, request));
    this.#seen.set(request.shard, done.position);
    return done;
  }

  async mark(request: Parameters<ProjectionStore['mark']>[0]): Promise<void> {
    const shards = request.shards.filter((shard) => this.#seen.has(shard));
    await this.#with(async (client) => {
      await client.query({
        name: 'mark',
        text: `select pg_catalog.set_config('synchronous_commit', 'off', true),
            projection.mark($1, $2, $3, $4::timestamptz, $5::integer[], $6::bigint[])`,
        values: [
          request.source,
          request.cluster,
          request.member,
          request.asOf,
          shards,
          shards.map((shard) => this.#seen.get(shard)),
        ],
      });
    });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #apply(
    client: PoolClient,
    at: LockedWatermark,
    { log, cluster, asOf, source }: Parameters<ProjectionStore['apply']>[0],
  ): Promise<Applied> {
    if (at.paused) return { kind: 'paused' };
    if (at.rebuildReason !== null) return { kind: 'rebuild', why: at.rebuildReason };
    if (at.state === 'rebuilding') return { kind: 'rebuild', why: at.stateReason ?? 'a rebuild was begun' };
    if (at.state === 'forked') return { kind: 'forked', why: at.stateReason ?? 'a fork was found' };
    const judged = judgeLog(at, log);
    if (judged.kind === 'gap' || judged.kind === 'forked') {
      await setState(client, { shard: log.shard, state: judged.kind, why: judged.why });
      return judged;
    }
    if (judged.kind === 'behind') return judged;
    const { entries, repeats } = judged;
    const position = entries.at(-1)?.position ?? at.position;
    await advance(client, {
      shard: log.shard,
      at,
      entries,
      cluster,
      source,
      asOf: BigInt(position) >= BigInt(log.bound) ? asOf : null,
    });
    return { kind: 'applied', position, entries: entries.length, repeats };
  }

  async #transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.#with(async (client) => {
      await client.query('begin');
      try {
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        if (sqlStateOf(error) === undefined) dropConnection(client);
        else await client.query('rollback');
        throw error;
      }
    });
  }

  /** Rejects as the port says; a connection that broke goes not back to the pool. */
  async #with<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw unreachable(this.#where, error);
    });
    let broken = false;
    try {
      return await work(client);
    } catch (error) {
      const state = sqlStateOf(error);
      if (error instanceof CapstanError) throw error;
      if (state !== undefined && BUSY.has(state)) {
        throw refusedError('another process has these shards of the projections', {
          code: 'projection_busy',
          retryable: true,
          cause: error,
        });
      }
      broken = state === undefined || ENDED.test(state);
      throw broken ? unreachable(this.#where, error) : error;
    } finally {
      client.release(broken);
    }
  }
}
