import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FenceReason } from '../../src/domain/sqlstate.ts';
import { decide, readIssuer, resolveToken } from '../../src/reservations/client.ts';
import { closeAdmission, extendLease, grantLease } from '../../src/reservations/lease-sql.ts';
import { readHeads } from '../../src/reservations/state-sql.ts';
import type { Scope } from '../../src/reservations/types.ts';
import { grantTestLease, SCOPE, startPostgres, type TestPostgres, waitUntil } from '../support/postgres.ts';
import { decided, ISSUER, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };
const RIGHT = { validForMs: 60_000, rpoValidForMs: null, rpoLagMs: null, rpoClaim: null };

let postgres: TestPostgres;
let gateway: Client;
let agent: Client;
let superuser: Client;
let token = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  [gateway, agent, superuser] = await Promise.all([
    postgres.connect('gateway'),
    postgres.connect('agent'),
    postgres.connect('superuser'),
  ]);
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
});
afterAll(() => postgres.stop());
beforeEach(() => grantTestLease(postgres));

const freshReserve = () => {
  token += 1;
  return reserve(`t-${token}`, 1n);
};

async function refusedFor(scope: Scope): Promise<string> {
  const before = await readHeads(agent);
  const result = await decide(gateway, scope, [freshReserve()], DEADLINE);
  expect(await readHeads(agent)).toEqual(before);
  return result.kind === 'refused' ? result.reason : result.kind;
}

describe('the fence refuses', () => {
  it.each<[string, Partial<Scope>, FenceReason]>([
    ['another term', { term: 2 }, 'staleTerm'],
    ['another epoch', { epoch: 2 }, 'staleEpoch'],
    ['another cluster', { cluster: 'c2' }, 'wrongCluster'],
    ['another generation', { generation: 2 }, 'staleGeneration'],
    ['a shard that the cluster does not own', { shard: 7 }, 'shardNotOwned'],
  ])('%s, with its own SQLSTATE and no effect', async (_what, other, reason) => {
    expect(await refusedFor({ ...SCOPE, ...other })).toBe(reason);
  });

  it('a lapsed lease, for decisions and reads alike', async () => {
    await superuser.query('update capstan.lease set expires_at = clock_timestamp()');
    expect(await refusedFor(SCOPE)).toBe('leaseLapsed');
    const asked = { issuer: ISSUER, token: 'limit' };
    expect(await resolveToken(gateway, SCOPE, asked, DEADLINE)).toMatchObject({ reason: 'leaseLapsed' });
    expect(await readIssuer(gateway, SCOPE, asked, DEADLINE)).toMatchObject({ reason: 'leaseLapsed' });
  });

  it('a lease that lapsed by the boot clock alone', async () => {
    await superuser.query('update capstan.lease set expires_uptime_ms = capstan.boot_clock_ms()');
    expect(await refusedFor(SCOPE)).toBe('leaseLapsed');
  });

  it('a lease of another start of the server', async () => {
    await superuser.query(
      `update capstan.lease set postmaster_started_at = postmaster_started_at - interval '1 second'`,
    );
    expect(await refusedFor(SCOPE)).toBe('leaseLapsed');
  });

  it('when there is no lease', async () => {
    await superuser.query('delete from capstan.lease');
    expect(await refusedFor(SCOPE)).toBe('leaseLapsed');
  });

  it('a lease of another term than the one that Postgres has adopted', async () => {
    await superuser.query('update capstan.lease set term = 2');
    expect(await refusedFor(SCOPE)).toBe('staleTerm');
    expect(await refusedFor({ ...SCOPE, term: 2 })).toBe('staleTerm');
  });

  it('while admission is closed; tokens are still resolved', async () => {
    expect(await closeAdmission(agent, 'test')).toBe(true);
    expect(await refusedFor(SCOPE)).toBe('admissionClosed');
    const resolved = await resolveToken(gateway, SCOPE, { issuer: ISSUER, token: 'limit' }, DEADLINE);
    expect(resolved).toMatchObject({ kind: 'resolved', status: 'confirmed' });
  });

  it('past the RPO bound; a token is still resolved, and the claim shown as lapsed', async () => {
    await superuser.query(
      `update capstan.lease set rpo_until = clock_timestamp(), rpo_claim = 'advertised', rpo_lag_ms = 1`,
    );
    expect(await refusedFor(SCOPE)).toBe('rpoLapsed');
    const resolved = await resolveToken(gateway, SCOPE, { issuer: ISSUER, token: 'limit' }, DEADLINE);
    expect(resolved).toMatchObject({ kind: 'resolved', rpo_claim: 'lapsed' });
  });

  it('a follower set other than the membership demands', async () => {
    await superuser.query(`update capstan.lease set sync_names = 'ANY 1 ("somebody")', degraded = false`);
    expect(await refusedFor(SCOPE)).toBe('durabilityWeakened');
  });

  it.each(['off', 'local', 'remote_write'])('a session under synchronous_commit=%s', async (level) => {
    await gateway.query(`set synchronous_commit = ${level}`);
    expect(await refusedFor(SCOPE)).toBe('durabilityWeakened');
    await gateway.query('reset synchronous_commit');
  });

  it('a transaction of its own and any other isolation level', async () => {
    for (const begin of [
      'begin',
      'begin isolation level repeatable read',
      'begin isolation level serializable',
    ]) {
      await gateway.query(begin);
      expect(await decide(gateway, SCOPE, [freshReserve()], DEADLINE)).toMatchObject({
        reason: 'transactionShape',
      });
      await gateway.query('rollback');
    }
    await gateway.query(`set default_transaction_isolation = 'repeatable read'`);
    expect(await refusedFor(SCOPE)).toBe('transactionShape');
    await gateway.query('reset default_transaction_isolation');
  });

  it('a shard whose head is locked for longer than the lock timeout, as `busy`', async () => {
    const impatient = await postgres.connect('gateway', { lockTimeoutMs: 100 });
    await superuser.query('begin');
    await superuser.query('select 1 from capstan.shard_head where shard_id = $1 for update', [SCOPE.shard]);
    const refused = await decide(impatient, SCOPE, [freshReserve()], DEADLINE);
    await superuser.query('rollback');
    expect(refused).toMatchObject({ kind: 'refused', reason: 'busy', sqlState: '55P03' });
  });
});

describe('a reply counts only within its time', () => {
  it('a reply later than the right it was given under is unknown', async () => {
    await grantTestLease(postgres, { validForMs: 400 });
    await superuser.query('begin');
    await superuser.query('lock capstan.outbox in access exclusive mode');
    const pending = decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await waitUntil('the first lease has lapsed', async () => {
      const { rows } = await agent.query('select 1 from capstan.lease where expires_at < clock_timestamp()');
      return rows.length === 1;
    });
    await grantTestLease(postgres);
    await superuser.query('rollback');
    expect(await pending).toMatchObject({ kind: 'unknown', why: 'late' });
  });

  it('the deadline makes it unknown, and the connection unusable', async () => {
    const client = await postgres.connect('gateway');
    await superuser.query('begin');
    await superuser.query('lock capstan.outbox in access exclusive mode');
    const result = await decide(client, SCOPE, [freshReserve()], { deadlineMs: 150 });
    await superuser.query('rollback');
    expect(result).toMatchObject({ kind: 'unknown', why: 'deadline', connectionUsable: false });
  });

  it('a broken connection is unknown, never an exception', async () => {
    const client = await postgres.connect('gateway');
    await superuser.query('begin');
    await superuser.query('lock capstan.outbox in access exclusive mode');
    const { rows } = await superuser.query<{ pid: number }>(
      `select pid from pg_stat_activity where usename = 'capstan_gateway' and state = 'idle' order by backend_start desc limit 1`,
    );
    const pending = decide(client, SCOPE, [freshReserve()], DEADLINE);
    await superuser.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
    await superuser.query('rollback');
    expect(await pending).toMatchObject({ kind: 'unknown', connectionUsable: false });
    expect(await decide(client, SCOPE, [freshReserve()], DEADLINE)).toMatchObject({ kind: 'unknown' });
  });
});

describe('the lease', () => {
  it('is extended only by the grant that it names, and a new grant ends the old one', async () => {
    const first = await grantTestLease(postgres);
    expect(await extendLease(agent, { ...RIGHT, grantId: first })).toBe('extended');
    const second = await grantTestLease(postgres);
    expect(await extendLease(agent, { ...RIGHT, grantId: first })).toBe('gone');
    expect(await extendLease(agent, { ...RIGHT, grantId: second })).toBe('extended');
  });

  it('is not shortened, nor its bound lifted, by an older extension that arrives late', async () => {
    const grantId = await grantTestLease(postgres);
    const newer = { ...RIGHT, grantId, validForMs: 90_000, rpoValidForMs: 80_000 };
    expect(await extendLease(agent, newer)).toBe('extended');
    const row = 'select expires_at, rpo_until from capstan.lease';
    const { rows: before } = await agent.query(row);
    expect(await extendLease(agent, { ...RIGHT, grantId, validForMs: 70_000 })).toBe('older');
    expect((await agent.query(row)).rows).toEqual(before);
  });

  it('carries the claim into each answer, and the time left is the smaller right', async () => {
    const grantId = await grantTestLease(postgres);
    await extendLease(agent, {
      validForMs: 70_000,
      rpoValidForMs: 5_000,
      rpoLagMs: 120,
      rpoClaim: 'proved',
      grantId,
    });
    const result = await decided(gateway, SCOPE, freshReserve());
    expect(result).toMatchObject({ degraded: true, rpo_lag_ms: 120, rpo_claim: 'proved' });
    expect(result.left_ms).toBeGreaterThan(4_000);
    expect(result.left_ms).toBeLessThanOrEqual(5_000);
    const resolved = await resolveToken(gateway, SCOPE, { issuer: ISSUER, token: 'limit' }, DEADLINE);
    expect(resolved.kind === 'resolved' && resolved.left_ms).toBeGreaterThan(40_000);
  });

  it('stays closed until an extension says that it opens it, and isn’t extended by any other', async () => {
    const grantId = await grantTestLease(postgres);
    await closeAdmission(agent, 'rpo');
    expect(await extendLease(agent, { ...RIGHT, grantId })).toBe('closed');
    expect(await refusedFor(SCOPE)).toBe('admissionClosed');
    await extendLease(agent, { ...RIGHT, grantId, admission: { state: 'open', reason: null } });
    expect((await decided(gateway, SCOPE, freshReserve())).outcomes).toHaveLength(1);
  });

  it('is not granted under another cluster, epoch or term, nor for a right that is over', async () => {
    const grant = {
      ...RIGHT,
      ...SCOPE,
      leader: 'c1-leader',
      admission: { state: 'open', reason: null },
      syncNames: '',
      syncRequired: 0,
      syncMembers: [],
    } as const;
    const code = (other: object) =>
      grantLease(agent, { ...grant, grantId: randomUUID(), ...other }).then(
        () => 'granted',
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await code({ cluster: 'c2' })).toBe('CP009');
    expect(await code({ epoch: 2 })).toBe('CP008');
    expect(await code({ term: 2 })).toBe('CP001');
    expect(await code({ validForMs: -1 })).toBe('CP005');
    expect(await code({ syncNames: 'ANY 1 ("somebody")' })).toBe('CP007');
    expect(await code({})).toBe('granted');
  });
});
