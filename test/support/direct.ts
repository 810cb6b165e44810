/** Connections straight to a member's Postgres, with a gateway's or an application's own rights, that go on whatever happens. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type FenceReason, fenceReasonOf } from '../../src/domain/sqlstate.ts';
import { sqlStateOf } from '../../src/postgres/connection.ts';
import { decide } from '../../src/reservations/client.ts';
import { isRefusedCommand, type Scope, type UnknownWhy } from '../../src/reservations/types.ts';
import { reserve } from './reservation-commands.ts';

export interface DirectAttempt {
  readonly token: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** What a caller that obeys the contract concludes. */
  readonly result: 'confirmed' | 'rejected' | FenceReason | 'busy' | `unknown: ${UnknownWhy}`;
  readonly position: string | null;
}

export async function connectDirectly(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 5_000, keepAlive: false });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Commits decisions in a loop on one connection, from before a change of authority until after it. */
export class DirectLoop {
  readonly attempts: DirectAttempt[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  readonly #client: Client;

  constructor(options: {
    readonly client: Client;
    readonly scope: Scope;
    readonly issuer: string;
    readonly name: string;
  }) {
    this.#client = options.client;
    this.#running = this.#run(options);
  }

  async #run({
    client,
    scope,
    issuer,
    name,
  }: {
    client: Client;
    scope: Scope;
    issuer: string;
    name: string;
  }) {
    for (let n = 0; !this.#stopping.signal.aborted; n += 1) {
      const token = `${name}-${n}`;
      const sentAt = performance.now();
      const result = await decide(client, scope, [reserve(token, 1n, { issuer })], { deadlineMs: 60_000 });
      const answeredAt = performance.now();
      const said = { token, sentAt, answeredAt, position: null };
      if (result.kind === 'decided') {
        const [outcome] = result.outcomes;
        if (outcome === undefined || isRefusedCommand(outcome) || outcome.outcome === 'abandoned') return;
        this.attempts.push({ ...said, result: outcome.outcome, position: outcome.position });
      } else if (result.kind === 'refused') this.attempts.push({ ...said, result: result.reason });
      else this.attempts.push({ ...said, result: `unknown: ${result.why}` });
      if (result.kind !== 'decided' && !result.connectionUsable) return;
      await delay(20);
    }
  }

  get confirmed(): readonly DirectAttempt[] {
    return this.attempts.filter(({ result }) => result === 'confirmed');
  }

  /** Ends the connection and returns when the loop has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await endQuietly(this.#client);
    await this.#running;
  }
}

export async function endQuietly(client: Client): Promise<void> {
  await Promise.race([client.end().catch(() => undefined), delay(1_000, undefined, { ref: false })]);
}

/** Runs a statement: what the fence said, another SQLSTATE, `lost`, or `done`. */
export async function outcomeOf(client: Client, sql: string): Promise<string> {
  try {
    await client.query(sql);
    return 'done';
  } catch (error) {
    const state = sqlStateOf(error);
    return state === undefined ? 'lost' : (fenceReasonOf(state) ?? state);
  }
}
