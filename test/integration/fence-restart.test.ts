import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decide } from '../../src/reservations/client.ts';
import { extendLease } from '../../src/reservations/lease-sql.ts';
import { readLease } from '../../src/reservations/state-sql.ts';
import { grantTestLease, SCOPE, startPostgres, type TestPostgres, waitUntil } from '../support/postgres.ts';
import { decided, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };
const RIGHT = { validForMs: 60_000, rpoValidForMs: null, rpoLagMs: null, rpoClaim: null };

let postgres: TestPostgres;
let gateway: Client;
let grantId: string;

beforeEach(async () => {
  postgres = await startPostgres();
  grantId = await grantTestLease(postgres);
  gateway = await postgres.connect('gateway');
  await decided(gateway, SCOPE, setLimit('limit', 1_000n));
});
afterEach(() => postgres.stop());

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}

async function startedAt(): Promise<string> {
  const client = await postgres.connect('reader');
  const { rows } = await client.query<{ at: string }>('select pg_postmaster_start_time()::text as at');
  return rows[0]?.at ?? '';
}

/** Nothing is decided under the old lease, it can't be extended, and a new grant opens again. */
async function fencedUntilGranted(): Promise<void> {
  const client = await postgres.connect('gateway');
  const agent = await postgres.connect('agent');
  expect(await decide(client, SCOPE, [reserve('a', 1n)], DEADLINE)).toMatchObject({ reason: 'leaseLapsed' });
  expect(await extendLease(agent, { ...RIGHT, grantId })).toBe('gone');
  expect(await decide(client, SCOPE, [reserve('a', 1n)], DEADLINE)).toMatchObject({ reason: 'leaseLapsed' });
  await grantTestLease(postgres);
  expect((await decided(client, SCOPE, reserve('a', 1n))).outcomes).toHaveLength(1);
}

describe('the lease ends fenced', () => {
  it('after a clean restart, which keeps the row but not the start time', async () => {
    const before = await startedAt();
    await postgres.restart('fast');
    expect(await startedAt()).not.toBe(before);
    const row = await readLease(await postgres.connect('agent'));
    expect(row).toMatchObject({ grantId, sameStart: false, admission: 'open' });
    expect(row?.leftMs).toBeGreaterThan(0);
    await fencedUntilGranted();
  });

  it('after a crash of the whole server, which empties the table', async () => {
    await postgres.restart('kill');
    expect(await readLease(await postgres.connect('agent'))).toBeUndefined();
    await fencedUntilGranted();
  });

  it('after a backend was killed with -9 under restart_after_crash=off, which ends the server', async () => {
    process.kill(await pidOf(gateway), 'SIGKILL');
    await waitUntil('the postmaster has ended', () => postgres.server.exit !== undefined);
    expect(await decide(gateway, SCOPE, [reserve('b', 1n)], DEADLINE)).toMatchObject({ kind: 'unknown' });
    await postgres.start();
    expect(await readLease(await postgres.connect('agent'))).toBeUndefined();
    await fencedUntilGranted();
  });

  it('after a backend was killed with -9 under restart_after_crash=on: the table is empty, the start time stays', async () => {
    await postgres.configure({ restart_after_crash: 'on' });
    const before = await startedAt();
    process.kill(await pidOf(gateway), 'SIGKILL');
    await waitUntil('the server has restarted itself', async () => {
      const client = await postgres.connect('agent').catch(() => undefined);
      return client !== undefined && (await readLease(client).catch(() => ({}))) === undefined;
    });
    expect(await startedAt()).toBe(before);
    await fencedUntilGranted();
  });

  it('for a decision whose backend was paused with SIGSTOP past the lapse, and resumed', async () => {
    const pid = await pidOf(gateway);
    const watch = await postgres.connect('superuser');
    await grantTestLease(postgres, { validForMs: 400 });
    process.kill(pid, 'SIGSTOP');
    const pending = decide(gateway, SCOPE, [reserve('c', 1n)], DEADLINE);
    await waitUntil('the lease has lapsed', async () => {
      const { rows } = await watch.query('select 1 from capstan.lease where expires_at < clock_timestamp()');
      return rows.length === 1;
    });
    process.kill(pid, 'SIGCONT');
    expect(await pending).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
  });
});
