import type { QueryResultRow } from 'pg';
import type { Session } from '../../src/agent/local-session.ts';
import { unreachableError } from '../../src/domain/errors.ts';
import type { SqlClient } from '../../src/postgres/sql-client.ts';
import type { SimProcess } from './process.ts';
import type { SimPostgres } from './sim-postgres.ts';
import type { SimServer } from './sim-server.ts';
import { handlerOf, type Row } from './sim-sql.ts';

export interface SimSessionOptions {
  readonly process: SimProcess;
  readonly postgres: SimPostgres;
  readonly waits: boolean;
  readonly timeoutMs: number;
}

const gone = (why: string) => unreachableError(why, { code: 'postgres_unreachable' });

/** An agent's session in its own Postgres, with the deadlines of LocalSession. */
export class SimSession implements Session {
  readonly #options: SimSessionOptions;
  readonly #client: SqlClient;
  #connected: { readonly server: SimServer; readonly pid: number } | undefined;

  constructor(options: SimSessionOptions) {
    this.#options = options;
    // The rows are what the handler of that very text makes; its caller names their type, as with pg.
    this.#client = {
      query: async (text, values = []) => ({ rows: [...(await this.#send(text, values))] as never[] }),
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

  async use<T>(work: (client: SqlClient) => Promise<T>, timeoutMs = this.#options.timeoutMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.process.timer(timeoutMs, () =>
      late.reject(gone(`Postgres did not answer in ${timeoutMs} ms`)),
    );
    try {
      return await Promise.race([work(this.#client), late.promise]);
    } finally {
      cancel();
    }
  }

  drop(): void {
    this.#connected = undefined;
  }

  close(): Promise<void> {
    this.#connected = undefined;
    return Promise.resolve();
  }

  #send(text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const { process, postgres, waits } = this.#options;
    const { server } = postgres;
    if (server === undefined || server.mode === 'starting') return Promise.reject(gone('connection refused'));
    if (this.#connected?.server !== server) this.#connected = { server, pid: server.nextPid };
    const { pid } = this.#connected;
    const { random } = process.scheduler;
    const { promise, resolve, reject } = Promise.withResolvers<readonly Row[]>();
    const settle = (how: () => void) => process.deliver('sql', how);
    const onEnd = () => settle(() => reject(gone('the connection was lost')));
    server.onEnd.add(onEnd);
    const execute = async () => {
      try {
        const rows = await handlerOf(text)({ server, values, waits, pid });
        settle(() => resolve(rows));
      } catch (error) {
        settle(() => reject(error));
      } finally {
        server.onEnd.delete(onEnd);
      }
    };
    // Most statements take no time worth an event; a crash or a pause can come between any two of the others.
    if (server.process.state === 'running' && random.chance(0.85)) void execute();
    else {
      const takesMs = random.chance(0.05) ? random.between(5, 80) : random.between(0.1, 4);
      server.process.timer(takesMs, () => void execute(), `${process.name} ${text.trim().slice(0, 40)}`);
    }
    return promise;
  }
}
