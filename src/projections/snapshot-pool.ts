import type { Pool, PoolClient } from 'pg';
import { CapstanError } from '../domain/errors.ts';
import {
  createPool,
  dropConnection,
  type PoolOptions,
  sqlStateOf,
  unreachable,
} from '../postgres/connection.ts';

export interface SnapshotPoolOptions extends PoolOptions {
  /** Of one read as a whole, from before a connection is asked for. */
  readonly deadlineMs: number;
}

/**
 * Reads of the projections' database under the reader's role, each in one snapshot. Whoever it keeps waiting past the deadline gets
 * `postgres_unreachable` (exit 7), and the connection is cut: a database that hangs holds nobody.
 */
export class SnapshotPool {
  readonly #pool: Pool;
  readonly #options: SnapshotPoolOptions;

  private constructor(pool: Pool, options: SnapshotPoolOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  static async open(options: SnapshotPoolOptions): Promise<SnapshotPool> {
    return new SnapshotPool(await createPool(options), options);
  }

  async read<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const { deadlineMs } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    let lent: PoolClient | undefined;
    let late = false;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        late = true;
        if (lent !== undefined) dropConnection(lent);
        reject(unreachable(this.#options, new Error(`no answer in ${deadlineMs} ms`)));
      }, deadlineMs);
    });
    const answer = this.#pool.connect().then(async (client) => {
      if (late) {
        client.release();
        throw new Error('too late');
      }
      lent = client;
      return this.#inSnapshot(client, work);
    });
    try {
      return await Promise.race([answer, deadline]);
    } catch (error) {
      // A statement's own time-out (57014) or an end of the server is no answer either; what else it says is a bug.
      const state = sqlStateOf(error);
      if (error instanceof CapstanError || (state !== undefined && !/^(57|08|53)/.test(state))) throw error;
      throw unreachable(this.#options, error);
    } finally {
      clearTimeout(timer);
      // The loser of the race rejects later, to nobody.
      answer.catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #inSnapshot<T>(client: PoolClient, work: (client: PoolClient) => Promise<T>): Promise<T> {
    let broken = true;
    try {
      await client.query('begin isolation level repeatable read read only');
      const result = await work(client);
      await client.query('commit');
      broken = false;
      return result;
    } catch (error) {
      if (error instanceof CapstanError) {
        await client.query('rollback');
        broken = false;
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }
}
