import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { dropConnection } from '../postgres/connection.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';
import { connectTo } from './connect-to.ts';
import type { HistoryRecorder } from './history/types.ts';

const EVERY_MS = 250;
const LOOK_TIMEOUT_MS = 2_000;

/** What the fence itself would go by, short of the operation that it is asked for. */
const VALID_LEASE = `
  select l.cluster, l.term from capstan.lease l
    where l.postmaster_started_at = pg_postmaster_start_time()
      and l.granted_at <= capstan.wall_clock() and capstan.wall_clock() < l.expires_at
      and (l.expires_uptime_ms is null or capstan.boot_clock_ms() < l.expires_uptime_ms)`;

/**
 * Asks every Postgres of a sandbox, again and again, whether it holds a right to decide that its fence would accept, and
 * records each that does. One that doesn't answer is asked again on a new connection.
 */
export class AuthoritySampler {
  readonly #stopping = new AbortController();
  readonly #environment: SandboxEnvironment;
  readonly #recorder: HistoryRecorder;
  readonly #running: Promise<unknown>;

  constructor(environment: SandboxEnvironment, recorder: HistoryRecorder) {
    this.#environment = environment;
    this.#recorder = recorder;
    this.#running = Promise.all(Object.keys(environment.postgres).map((member) => this.#watch(member)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #watch(member: string): Promise<void> {
    const { signal } = this.#stopping;
    let client: pg.Client | undefined;
    while (!signal.aborted) {
      try {
        client ??= await connectTo({
          environment: this.#environment,
          member,
          role: 'superuser',
          queryTimeoutMs: LOOK_TIMEOUT_MS,
        });
        await this.#look(member, client);
      } catch {
        if (client !== undefined) dropConnection(client);
        client = undefined;
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    if (client !== undefined) dropConnection(client);
  }

  async #look(member: string, client: pg.Client): Promise<void> {
    // An UNLOGGED table can't be read in recovery, and a member in recovery decides nothing.
    const { rows } = await client.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
    if (rows[0]?.recovering !== false) return;
    const askedAt = this.#recorder.now();
    const held = await client.query<{ cluster: string; term: number }>(VALID_LEASE);
    for (const { cluster, term } of held.rows) {
      this.#recorder.record({ kind: 'authority', asked_t: askedAt, cluster, member, term });
    }
  }
}
