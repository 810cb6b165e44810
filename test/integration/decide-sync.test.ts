import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decide, findToken, readIssuer, resolveToken } from '../../src/reservations/client.ts';
import { adoptTerm, extendLease } from '../../src/reservations/lease-sql.ts';
import { readHeads, readLineage } from '../../src/reservations/state-sql.ts';
import type { DecideResult } from '../../src/reservations/types.ts';
import {
  grantTestLease,
  SCOPE,
  startPostgresPair,
  TEST_SHARDS,
  type TestPair,
  waitUntil,
} from '../support/postgres.ts';
import { brief, decided, ISSUER, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };
const SHORT = { deadlineMs: 400 };

let pair: TestPair;
let superuser: Client;
let resume: () => void = () => undefined;
let token = 0;

beforeAll(async () => {
  pair = await startPostgresPair();
  superuser = await pair.leader.connect('superuser');
  await decided(await pair.leader.connect('gateway'), SCOPE, setLimit('limit', 10n ** 9n));
});
afterEach(() => resume());
afterAll(() => pair.stop());

const freshReserve = () => {
  token += 1;
  return reserve(`t-${token}`, 1n);
};

/** Pauses the follower, sends a decision, and returns once its commit waits for the follower. */
async function waitingDecision(command = freshReserve()) {
  resume = await pair.pauseFollower();
  const client = await pair.leader.connect('gateway');
  const pending = decide(client, SCOPE, [command], DEADLINE);
  let pid = 0;
  await waitUntil('the commit waits for the follower', async () => {
    const { rows } = await superuser.query<{ pid: number }>(
      `select pid from pg_stat_activity where wait_event = 'SyncRep' and usename = 'capstan_gateway'`,
    );
    pid = rows[0]?.pid ?? 0;
    return pid !== 0;
  });
  return { command, pending, pid };
}

async function visible(name: string): Promise<boolean> {
  const { rows } = await superuser.query(
    'select 1 from capstan.reservation_token where reservation_token = $1',
    [name],
  );
  return rows.length > 0;
}

describe('a decision that waits for its follower', () => {
  it('is invisible until the follower has flushed it, then confirmed', async () => {
    const { command, pending } = await waitingDecision();
    expect(await visible(command.token)).toBe(false);
    resume();
    expect(await pending).toMatchObject({ kind: 'decided', degraded: false });
    const follower = await pair.follower.connect('agent');
    const leader = await pair.leader.connect('agent');
    await waitUntil('the follower shows it', async () => {
      const [there, here] = await Promise.all([readHeads(follower), readHeads(leader)]);
      return there['184'] === here['184'];
    });
  });

  it('keeps the next batch of its shard out, and another shard’s batch from being confirmed', async () => {
    const { pending } = await waitingDecision();
    const impatient = await pair.leader.connect('gateway', { lockTimeoutMs: 150 });
    expect(await decide(impatient, SCOPE, [freshReserve()], DEADLINE)).toMatchObject({ reason: 'busy' });
    const other = await pair.leader.connect('gateway');
    const elsewhere = await decide(other, { ...SCOPE, shard: 185 }, [setLimit('l', 1n)], SHORT);
    expect(elsewhere).toMatchObject({ kind: 'unknown', why: 'deadline', connectionUsable: false });
    resume();
    expect(await pending).toMatchObject({ kind: 'decided' });
  });

  it('does not keep the agent from extending, granting or adopting', async () => {
    const { pending } = await waitingDecision();
    const agent = await pair.leader.connect('agent', { statementTimeoutMs: 3_000 });
    const sync = { syncNames: pair.syncNames, syncRequired: 1, syncMembers: pair.syncMembers };
    const grantId = await grantTestLease(pair.leader, sync);
    const right = { validForMs: 60_000, rpoValidForMs: null, rpoLagMs: null, rpoClaim: null };
    expect(await extendLease(agent, { ...right, grantId })).toBe('extended');
    const shards = TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const }));
    const taken = [...shards, { shard: 9, generation: 1, state: 'serving' as const }];
    expect(await adoptTerm(agent, { ...SCOPE, reason: 'take', shards: taken })).toMatchObject({
      headsMade: 1,
    });
    resume();
    expect(await pending).toMatchObject({ kind: 'decided' });
  });
});

async function reportsNothingUntilFlushed(name: string, command: ReturnType<typeof freshReserve>) {
  await waitUntil('the cancelled commit is visible on the leader', () => visible(name));
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => pair.leader.connect('gateway')));
  if (a === undefined || b === undefined || c === undefined) throw new Error('no clients');
  expect(await decide(a, SCOPE, [command], SHORT)).toMatchObject({ kind: 'unknown', why: 'deadline' });
  const asked = { issuer: ISSUER, token: name };
  expect(await resolveToken(b, SCOPE, asked, SHORT)).toMatchObject({ kind: 'unknown', why: 'deadline' });
  const open = { limit: 10, after: '' };
  const read = await readIssuer(c, SCOPE, { issuer: ISSUER, open }, { deadlineMs: 1_000 });
  expect(read).toMatchObject({ kind: 'unknown', why: 'deadline' });
  resume();
  const late = await pair.leader.connect('gateway');
  expect(await resolveToken(late, SCOPE, asked, DEADLINE)).toMatchObject({
    kind: 'resolved',
    status: 'confirmed',
  });
  expect(brief(await decided(late, SCOPE, command))[0]).toMatch(/^confirmed@\d+ replayed$/);
  expect(await readIssuer(late, SCOPE, { issuer: ISSUER }, DEADLINE)).toMatchObject({ kind: 'read' });
}

describe('a leader that has lost its follower', () => {
  it('reports nothing from the past, though nothing was decided since', async () => {
    const [reader, finder] = await Promise.all([1, 2].map(() => pair.leader.connect('gateway')));
    if (reader === undefined || finder === undefined) throw new Error('no clients');
    expect(await readIssuer(reader, SCOPE, { issuer: ISSUER }, DEADLINE)).toMatchObject({ kind: 'read' });
    resume = await pair.pauseFollower();
    const read = await readIssuer(reader, SCOPE, { issuer: ISSUER }, SHORT);
    expect(read).toMatchObject({ kind: 'unknown', why: 'deadline' });
    expect(await findToken(finder, SCOPE, 'nobody', SHORT)).toMatchObject({
      kind: 'unknown',
      why: 'deadline',
    });
  });
});

describe('a decision whose wait was cancelled', () => {
  it('is unknown, and neither replay, resolve nor read reports it before the follower has flushed it', async () => {
    const { command, pending, pid } = await waitingDecision();
    await superuser.query('select pg_cancel_backend($1)', [pid]);
    const result: DecideResult = await pending;
    expect(result).toMatchObject({ kind: 'unknown', why: 'warning' });
    await reportsNothingUntilFlushed(command.token, command);
  });

  it('is unknown when its backend was terminated, and equally unreported', async () => {
    const { command, pending, pid } = await waitingDecision();
    await superuser.query('select pg_terminate_backend($1)', [pid]);
    expect(await pending).toMatchObject({ kind: 'unknown', connectionUsable: false });
    await reportsNothingUntilFlushed(command.token, command);
  });
});

describe('Postgres as it was seen', () => {
  it('hides the warning of a cancelled wait from a session with client_min_messages=error', async () => {
    resume = await pair.pauseFollower();
    const client = await pair.leader.connect('superuser');
    const notices: unknown[] = [];
    client.on('notice', (notice) => notices.push(notice));
    await client.query('set client_min_messages = error');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const pending = client.query('create table public.seen (n int)');
    await waitUntil('it waits', async () => {
      const waiting = await superuser.query(
        `select 1 from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'`,
        [rows[0]?.pid],
      );
      return waiting.rows.length === 1;
    });
    await superuser.query('select pg_cancel_backend($1)', [rows[0]?.pid]);
    await pending;
    expect(notices).toEqual([]);
  });

  it('does not fire statement_timeout in a sync wait', async () => {
    const client = await pair.leader.connect('gateway', { statementTimeoutMs: 500 });
    await decided(client, SCOPE, freshReserve());
    resume = await pair.pauseFollower();
    const result = await decide(client, SCOPE, [freshReserve()], { deadlineMs: 1_500 });
    expect(result).toMatchObject({ kind: 'unknown', why: 'deadline' });
  });
});

// From here on the term is 2.
const NEXT = { ...SCOPE, term: 2 };

describe('a new term', () => {
  it('waits for a decision that waits for its follower: the lineage begins after it', async () => {
    const { command, pending } = await waitingDecision();
    const adoption = {
      ...NEXT,
      reason: 'aborted',
      shards: TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const })),
    };
    const agent = await pair.leader.connect('agent', { lockTimeoutMs: 150 });
    await expect(adoptTerm(agent, adoption)).rejects.toMatchObject({ code: '55P03' });
    resume();
    const result = await pending;
    if (result.kind !== 'decided') throw new Error(`not decided: ${result.kind}`);
    const [outcome] = brief(result);
    expect(outcome).toMatch(/^confirmed@\d+$/);
    await adoptTerm(agent, adoption);
    const first = BigInt((await readLineage(agent, 184)).at(-1)?.firstPosition ?? 0);
    expect(outcome).toBe(`confirmed@${first - 1n}`);
    const sync = { syncNames: pair.syncNames, syncRequired: 1, syncMembers: pair.syncMembers };
    await grantTestLease(pair.leader, { ...sync, term: 2 });
    const gateway = await pair.leader.connect('gateway');
    expect(brief(await decided(gateway, NEXT, command))).toEqual([`confirmed@${first - 1n} replayed`]);
    expect(brief(await decided(gateway, NEXT, freshReserve()))).toEqual([`confirmed@${first}`]);
  });
});

// Last: it ends the pair.
describe('a follower', () => {
  it('decides nothing, and after its promotion holds no lease although its leader did', async () => {
    resume();
    const client = await pair.follower.connect('gateway');
    expect(await decide(client, NEXT, [freshReserve()], DEADLINE)).toMatchObject({ reason: 'notLeader' });
    const asked = { issuer: ISSUER, token: 'limit' };
    expect(await resolveToken(client, NEXT, asked, DEADLINE)).toMatchObject({ reason: 'notLeader' });
    await pair.leader.server.stop('immediate');
    const admin = await pair.follower.connect('superuser');
    await admin.query('select pg_promote(true, 30)');
    expect(await decide(client, NEXT, [freshReserve()], DEADLINE)).toMatchObject({ reason: 'leaseLapsed' });
    expect((await admin.query('select 1 from capstan.lease')).rows).toEqual([]);
  });
});
