import type { QueryResultRow } from 'pg';
import type { Session } from '../../src/agent/local-session.ts';
import type { AskClient } from '../../src/reservations/ask.ts';
import type { SimProcess } from './process.ts';
import type { SimPostgres } from './sim-postgres.ts';
import { postgresGone, SimBackend } from './sim-backend.ts';
import type { Row } from './sim-sql.ts';

export interface SimSessionOptions {
  readonly process: SimProcess;
  readonly postgres: SimPostgres;
  readonly waits: boolean;
  readonly timeoutMs: number;
}

/** An agent's session in its own Postgres, with the deadlines of LocalSession. */
export class SimSession implements Session {
  readonly #options: SimSessionOptions;
  readonly #client: AskClient;
  #backend: SimBackend | undefined;

  constructor(options: SimSessionOptions) {
    this.#options = options;
    // The rows are what the handler of that very text makes; its caller names their type, as with pg.
    this.#client = {
      query: async (text, values = []) => ({ rows: [...(await this.#send(text, values))] as never[] }),
      // No notice is ever made here: a wait that was cancelled is an error.
      on: () => undefined,
      off: () => undefined,
    };
  }

  query<R extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    timeoutMs?: number,
  ): Promise<R[]> {
    return this.use(async (client) => (await client.query<R>(text, [...values])).rows, timeoutMs);
  }

  async one<R extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    timeoutMs?: number,
  ): Promise<R> {
    const [row] = await this.query<R>(text, values, timeoutMs);
    if (row === undefined) throw new Error(`no row: ${text.slice(0, 80)}`);
    return row;
  }

  async use<T>(work: (client: AskClient) => Promise<T>, timeoutMs = this.#options.timeoutMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.process.timer(timeoutMs, () => {
      // What was sent may still be carried out; the next statement takes another connection.
      this.drop();
      late.reject(postgresGone(`Postgres did not answer in ${timeoutMs} ms`));
    });
    try {
      return await Promise.race([work(this.#client), late.promise]);
    } finally {
      cancel();
    }
  }

  drop(): void {
    this.#backend?.drop();
    this.#backend = undefined;
  }

  close(): Promise<void> {
    this.drop();
    return Promise.resolve();
  }

  #send(text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const { process, postgres, waits } = this.#options;
    const { server } = postgres;
    if (server === undefined || !server.answers) return Promise.reject(postgresGone('connection refused'));
    if (this.#backend?.server !== server) this.#backend = new SimBackend(process, server, { waits });
    return this.#backend.send(text, values);
  }
}
