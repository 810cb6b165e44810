/**
 * Real Postgres for tests: a leader, or a leader with a synchronous follower, with roles, migrations and a lease ready in
 * about a second. Each start copies a template that is made once a run. `stop` ends every process that was started.
 */
import { randomUUID } from 'node:crypto';
import { closeConnection } from '../../src/postgres/connection.ts';
import { adoptTerm, type GrantLease, grantLease } from '../../src/reservations/lease-sql.ts';
import type { Scope } from '../../src/reservations/types.ts';
import { FOLLOWER_NAME, Member, type StartOptions, type TestPostgres, waitUntil } from './postgres-member.ts';

export { freePort } from './postgres-template.ts';
export { type StartOptions, type TestPostgres, waitUntil } from './postgres-member.ts';

const LEADER_NAME = 'c1-leader';
const SYNC_NAMES = `ANY 1 ("${FOLLOWER_NAME}")`;

/** The scope that is ready in every test database: shard 184, with a few beside it. */
export const SCOPE: Scope = { cluster: 'c1', epoch: 1, shard: 184, generation: 1, term: 1 };
export const TEST_SHARDS = [183, 184, 185] as const;

export interface TestPair {
  readonly leader: TestPostgres;
  readonly follower: TestPostgres;
  readonly syncNames: string;
  readonly syncMembers: readonly string[];
  /** Stops the follower's receiver (SIGSTOP), so that commits wait; the returned function lets it go on. */
  pauseFollower(): Promise<() => void>;
  stop(): Promise<void>;
}

/** One leader that is its own durable set (a degraded lease). */
export async function startPostgres(options: StartOptions = {}): Promise<TestPostgres> {
  const leader = await Member.create(options);
  await leader.start();
  if (options.lease !== false) await openUp(leader, {});
  return leader;
}

/** A leader and its same-region follower, streaming and synchronous. */
export async function startPostgresPair(options: StartOptions = {}): Promise<TestPair> {
  const leader = await Member.create(options);
  await leader.start();
  const follower = await Member.create({ ...options, follow: leader });
  await follower.start();
  const watch = await leader.connect('superuser');
  await leader.configure({ synchronous_standby_names: SYNC_NAMES });
  await waitUntil('the follower streams synchronously', async () => {
    const { rows } = await watch.query(
      `select 1 from pg_stat_replication where application_name = $1 and sync_state = 'quorum'`,
      [FOLLOWER_NAME],
    );
    return rows.length === 1;
  });
  const syncMembers = [FOLLOWER_NAME];
  if (options.lease !== false) await openUp(leader, { syncNames: SYNC_NAMES, syncRequired: 1, syncMembers });
  let resume: (() => void) | undefined;
  return {
    leader,
    follower,
    syncNames: SYNC_NAMES,
    syncMembers,
    async pauseFollower() {
      const pid = await receiverPid(follower);
      process.kill(pid, 'SIGSTOP');
      resume = () => {
        resume = undefined;
        process.kill(pid, 'SIGCONT');
      };
      return () => resume?.();
    },
    async stop() {
      resume?.();
      await Promise.all([leader.stop(), follower.stop()]);
    },
  };
}

/** Grants a lease on the leader; what is not given holds for 60 s, open, degraded. Returns the grant's id. */
export async function grantTestLease(
  postgres: TestPostgres,
  overrides: Partial<GrantLease> = {},
): Promise<string> {
  const client = await postgres.connect('agent');
  const grantId = randomUUID();
  await grantLease(client, {
    cluster: SCOPE.cluster,
    epoch: SCOPE.epoch,
    term: SCOPE.term,
    leader: LEADER_NAME,
    grantId,
    validForMs: 60_000,
    rpoValidForMs: null,
    rpoLagMs: null,
    rpoClaim: null,
    admission: { state: 'open', reason: null },
    syncNames: '',
    syncRequired: 0,
    syncMembers: [],
    ...overrides,
  });
  await closeConnection(client);
  return overrides.grantId ?? grantId;
}

async function openUp(leader: TestPostgres, lease: Partial<GrantLease>): Promise<void> {
  const agent = await leader.connect('agent');
  const shards = TEST_SHARDS.map((shard) => ({
    shard,
    generation: SCOPE.generation,
    state: 'serving' as const,
  }));
  await adoptTerm(agent, { ...SCOPE, reason: 'test', shards });
  await closeConnection(agent);
  await grantTestLease(leader, lease);
}

async function receiverPid(follower: TestPostgres): Promise<number> {
  const client = await follower.connect('superuser');
  const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
  await closeConnection(client);
  const pid = rows[0]?.pid;
  if (pid === undefined) throw new Error('the follower has no receiver');
  return pid;
}
