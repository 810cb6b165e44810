import type pg from 'pg';
import type { AskClient } from '../reservations/ask.ts';
import { messageOf, unreachableError } from '../domain/errors.ts';
import { closeConnection, dropConnection } from '../postgres/connection.ts';

/** What the agent's parts need of a session in their own Postgres; LocalSession says how it behaves. */
export interface Session {
  query<R extends pg.QueryResultRow>(
    text: string,
    values?: readonly unknown[],
    timeoutMs?: number,
  ): Promise<R[]>;
  one<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[], timeoutMs?: number): Promise<R>;
  use<T>(work: (client: AskClient) => Promise<T>, timeoutMs?: number): Promise<T>;
  drop(): void;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly open: () => Promise<pg.Client>;
  /** A statement that hasn't answered by then costs the connection. */
  readonly timeoutMs: number;
}

/**
 * One connection to this member's own Postgres, opened when needed and opened again after any break. Every statement has
 * a deadline on this side too: a Postgres that is stopped with SIGSTOP answers nothing, and no server-side timeout fires.
 */
export class LocalSession implements Session {
  readonly #options: SessionOptions;
  #client: Promise<pg.Client> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Rows; throws the server's own error, or `postgres_unreachable` (exit 7) when nothing answered in time. */
  query<R extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    timeoutMs?: number,
  ): Promise<R[]> {
    return this.use(async (client) => (await client.query<R>(text, [...values])).rows, timeoutMs);
  }

  /** As `query`, for work that takes a client. */
  async use<T>(work: (client: AskClient) => Promise<T>, timeoutMs = this.#options.timeoutMs): Promise<T> {
    const client = this.#client ?? this.#open();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          unreachableError(`Postgres did not answer in ${timeoutMs} ms`, { code: 'postgres_unreachable' }),
        );
      }, timeoutMs);
    });
    try {
      return await Promise.race([client.then(work), late]);
    } catch (error) {
      // An error of severity ERROR leaves a session that can be used; anything else doesn't.
      if ((error as { severity?: string }).severity !== 'ERROR') this.#forget(client);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async one<R extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    timeoutMs?: number,
  ): Promise<R> {
    const [row] = await this.query<R>(text, values, timeoutMs);
    if (row === undefined) throw new Error(`no row: ${text.slice(0, 80)}`);
    return row;
  }

  /** Cuts the connection without a goodbye; the next statement opens another. */
  drop(): void {
    if (this.#client !== undefined) this.#forget(this.#client);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    const connected = await client?.catch(() => undefined);
    if (connected !== undefined) await closeConnection(connected, { timeoutMs: 200 });
  }

  #open(): Promise<pg.Client> {
    const opening = this.#options.open();
    this.#client = opening;
    const forget = () => {
      if (this.#client === opening) this.#client = undefined;
    };
    return opening.then(
      (client) => {
        client.once('end', forget);
        return client;
      },
      (error: unknown) => {
        forget();
        throw unreachableError(messageOf(error), { code: 'postgres_unreachable', cause: error });
      },
    );
  }

  #forget(client: Promise<pg.Client>): void {
    if (this.#client === client) this.#client = undefined;
    // A connection that is still being made is dropped once it is.
    client.then(dropConnection, () => undefined);
  }
}
