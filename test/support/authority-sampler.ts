import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { postgresUrl } from './read-back.ts';
import type { TestSandbox } from './sandbox.ts';

const EVERY_MS = 150;
const LOOK_TIMEOUT_MS = 2_000;

/** What the fence itself would go by, short of the operation that it is asked for. */
const VALID_LEASE = `
  select l.cluster, l.leader, l.term from capstan.lease l
    where l.postmaster_started_at = pg_postmaster_start_time()
      and l.granted_at <= capstan.wall_clock() and capstan.wall_clock() < l.expires_at
      and (l.expires_uptime_ms is null or capstan.boot_clock_ms() < l.expires_uptime_ms)`;

/** Asks every Postgres of a sandbox, again and again, whether it holds a valid right to decide. */
export class AuthoritySampler {
  readonly #stopping = new AbortController();
  readonly #holders = new Set<string>();
  readonly #running: Promise<unknown>;
  #looks = 0;

  constructor(sandbox: TestSandbox) {
    const members = Object.keys(sandbox.environment.postgres);
    const watch = (member: string) => this.#watch(member, postgresUrl(sandbox, member, 'superuser'));
    this.#running = Promise.all(members.map(watch));
  }

  /** How often some member was asked. */
  get looks(): number {
    return this.#looks;
  }

  /** Everyone who was ever seen with a valid right, such as `c1-new-york-1 under term 1`, sorted. */
  async stop(): Promise<string[]> {
    this.#stopping.abort();
    await this.#running;
    return [...this.#holders].toSorted();
  }

  async #watch(member: string, connectionString: string): Promise<void> {
    let client: Client | undefined;
    while (!this.#stopping.signal.aborted) {
      try {
        client ??= await connect(connectionString);
        // An UNLOGGED table can't be read in recovery, and a member in recovery decides nothing.
        const { rows } = await client.query<{ recovering: boolean }>(
          'select pg_is_in_recovery() as recovering',
        );
        this.#looks += 1;
        if (rows[0]?.recovering === false) {
          const held = await client.query<{ term: number }>(VALID_LEASE);
          for (const { term } of held.rows) this.#holders.add(`${member} under term ${term}`);
        }
      } catch {
        void client?.end().catch(() => undefined);
        client = undefined;
      }
      await delay(EVERY_MS);
    }
    await client?.end().catch(() => undefined);
  }
}

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: LOOK_TIMEOUT_MS,
    query_timeout: LOOK_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
