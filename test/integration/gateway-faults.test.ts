import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayClient, GatewayEstate, issuersOf } from '../support/gateway-estate.ts';
import { grantTestLease, SCOPE, waitUntil } from '../support/postgres.ts';

let estate: GatewayEstate;
let gateway: GatewayClient;
let other: GatewayClient;
let term = SCOPE.term;
const issuers = issuersOf(184, 60)[Symbol.iterator]();

async function issuerWith(limit: string): Promise<string> {
  const issuer = issuers.next().value ?? 'MUNI-77';
  const set = await gateway.setLimit(issuer, limit);
  expect(set.status).toBe(200);
  return issuer;
}

const lease = (overrides: Parameters<typeof grantTestLease>[1] = {}) =>
  grantTestLease(estate.leader, {
    term,
    syncNames: estate.pair?.syncNames ?? '',
    syncRequired: 1,
    syncMembers: estate.pair?.syncMembers ?? [],
    ...overrides,
  });

/** The same member under a newer term, as a switch and back would leave it. */
async function adoptNextTerm(): Promise<void> {
  term += 1;
  await estate.adopt(term);
  await lease();
}

const waitingForSync = async (): Promise<number[]> => {
  const admin = await estate.leader.connect('superuser');
  const { rows } = await admin.query<{ pid: number }>(
    `select pid from pg_stat_activity where wait_event = 'SyncRep'`,
  );
  await admin.end();
  return rows.map(({ pid }) => pid);
};

beforeAll(async () => {
  estate = await GatewayEstate.start({
    pair: true,
    contract: (contract) => ({
      ...contract,
      deadlines: { ...contract.deadlines, decisionMs: 1_000, lockWaitMs: 400, readMs: 800 },
    }),
  });
  [gateway, other] = await Promise.all([estate.gateway(), estate.gateway()]);
});
afterEach(async () => {
  estate.proxy.silent = false;
  await lease();
});
afterAll(() => estate.stop());

describe('a reply that is cut off', () => {
  it('after the commit is resolved by its token: one reservation, and the caller learns of it', async () => {
    const issuer = await issuerWith('10.00');
    const cut = estate.proxy.cutReplyTo(/capstan\.decide.*cut-1/s);
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'cut-1' });
    await cut;
    expect([reply.status, reply.body.status]).toEqual([200, 'confirmed']);
    const again = await other.reserve({ issuer_id: issuer, reservation_token: 'cut-1' });
    expect(again.text).toBe(reply.text);
    expect((await gateway.call('GET', `/issuers/${issuer}`)).body.open_count).toBe(1);
  });

  it('is never taken for the outcome of other content under the same token', async () => {
    const issuer = await issuerWith('50.00');
    await gateway.reserve({ issuer_id: issuer, reservation_token: 'cut-2' });
    const cut = estate.proxy.cutReplyTo(/capstan\.decide.*cut-2/s);
    const reply = await gateway.reserve({ issuer_id: issuer, notional: '11', reservation_token: 'cut-2' });
    await cut;
    expect([reply.status, reply.body.code]).toEqual([422, 'token_reused']);
  });

  it('and cannot be resolved is `unknown`, and names where to ask', async () => {
    const issuer = await issuerWith('10.00');
    const cut = estate.proxy.cutReplyTo(/capstan\.decide.*cut-3/s, { vanish: true });
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'cut-3' });
    await cut;
    expect(reply.status).toBe(202);
    expect(reply.headers.get('capstan-shard')).toBe('184');
    expect(reply.body).toEqual({
      status: 'unknown',
      reservation_token: 'cut-3',
      resolve: `/reservation-tokens/cut-3?issuer_id=${issuer}`,
    });
    estate.proxy.silent = false;
    await waitUntil('the token is resolved', async () => {
      const found = await gateway.call('GET', reply.body.resolve);
      return found.status === 200 && found.body.status === 'confirmed';
    });
  });
});

describe('without its follower', () => {
  it('nothing is confirmed, resolved or shown before the follower has it; then it is one outcome', async () => {
    const issuer = await issuerWith('10.00');
    const request = { issuer_id: issuer, reservation_token: 'sync-1' };
    const resume = await estate.pair?.pauseFollower();
    const first = gateway.reserve(request);
    await waitUntil('the commit waits', async () => (await waitingForSync()).length > 0);
    const queued = gateway.reserve({ issuer_id: issuer, notional: '1', reservation_token: 'sync-2' });
    const reply = await first;
    expect(reply.status).toBe(202);
    const behind = await queued;
    expect(behind.status).toBe(503);
    expect(behind.body).toMatchObject({ code: 'not_sent', effect: 'none' });
    expect(behind.headers.get('retry-after')).toBe('1');

    const resolved = await other.token('sync-1', issuer);
    expect([resolved.status, resolved.body.code]).toEqual([503, 'outcome_unknown']);
    const retried = await other.reserve(request);
    expect([202, 503]).toContain(retried.status);

    resume?.();
    await waitUntil('the token is confirmed', async () => {
      const found = await gateway.token('sync-1', issuer);
      return found.status === 200 && found.body.status === 'confirmed';
    });
    const last = await other.reserve(request);
    expect([last.status, last.body.status]).toEqual([200, 'confirmed']);
    await waitUntil('the lanes run again', async () => {
      const { status } = await gateway.token('sync-2', issuer);
      return status === 404;
    });
    const { body } = await gateway.call('GET', `/issuers/${issuer}`);
    expect(body).toMatchObject({ reserved: '10.00', open_count: 1 });
  });

  it('a cancelled wait makes a decision visible, and still nobody reports it', async () => {
    const issuer = await issuerWith('10.00');
    const request = { issuer_id: issuer, reservation_token: 'sync-3' };
    const resume = await estate.pair?.pauseFollower();
    const first = gateway.reserve(request);
    await waitUntil('the commit waits', async () => (await waitingForSync()).length > 0);
    const admin = await estate.leader.connect('superuser');
    for (const pid of await waitingForSync()) await admin.query('select pg_cancel_backend($1)', [pid]);
    await admin.end();
    expect((await first).status).toBe(202);

    const [retried, resolved, read] = await Promise.all([
      other.reserve(request),
      other.token('sync-3', issuer),
      other.call('GET', `/issuers/${issuer}`),
    ]);
    expect([202, 503]).toContain(retried.status);
    expect([resolved.status, resolved.body.code]).toEqual([503, 'outcome_unknown']);
    expect([read.status, read.body.code]).toEqual([503, 'not_yet_durable']);
    resume?.();
    await waitUntil('the token is confirmed', async () => {
      const found = await other.token('sync-3', issuer);
      return found.status === 200 && found.body.status === 'confirmed';
    });
  });
});

describe('an authority that may not decide', () => {
  it('with a lapsed lease is 503 lease_lapsed with Retry-After, without effect', async () => {
    const issuer = await issuerWith('10.00');
    const admin = await estate.leader.connect('superuser');
    await admin.query('update capstan.lease set expires_at = clock_timestamp()');
    await admin.end();
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'lapse-1' });
    expect([reply.status, reply.body.code, reply.body.effect]).toEqual([503, 'lease_lapsed', 'none']);
    expect(reply.headers.get('retry-after')).toBe('1');
    expect(reply.headers.get('capstan-term')).toBe(String(term));
    const token = await gateway.token('lapse-1', issuer);
    expect([token.status, token.body.code]).toEqual([503, 'outcome_unknown']);
    await lease();
    expect((await gateway.token('lapse-1', issuer)).status).toBe(404);
  });

  it('with admission closed is 503 admission_closed, saying why; reads and resolutions go on', async () => {
    const issuer = await issuerWith('10.00');
    await lease({ admission: { state: 'closed', reason: 'a drill' } });
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'closed-1' });
    expect([reply.status, reply.body.code]).toEqual([503, 'admission_closed']);
    expect(reply.body.detail).toContain('a drill');
    expect((await gateway.token('closed-1', issuer)).status).toBe(404);
    expect((await gateway.call('GET', `/issuers/${issuer}`)).status).toBe(200);
  });

  it('without an RPO right is 503 rpo_lapsed', async () => {
    const issuer = await issuerWith('10.00');
    await lease({ rpoValidForMs: 1 });
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'rpo-1' });
    expect([reply.status, reply.body.code]).toEqual([503, 'rpo_lapsed']);
  });
});

describe('a route that has gone stale', () => {
  it('is followed to the newer term, and the caller sees no error', async () => {
    const issuer = await issuerWith('10.00');
    await adoptNextTerm();
    const answered = gateway.reserve({ issuer_id: issuer, reservation_token: 'stale-1' });
    await estate.putCluster({ term });
    const reply = await answered;
    expect(reply.status).toBe(201);
    expect(reply.headers.get('capstan-term')).toBe(String(term));
  });

  it('and has no successor in time is 503 route_stale, without effect', async () => {
    const issuer = await issuerWith('10.00');
    await adoptNextTerm();
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'stale-2' });
    expect([reply.status, reply.body.code, reply.body.effect]).toEqual([503, 'route_stale', 'none']);
    await estate.putCluster({ term });
    await waitUntil(
      'the route is fresh',
      async () => (await gateway.token('stale-2', issuer)).status === 404,
    );
  });

  it('while an operation changes the leader, waits for the next one, and says so at its deadline', async () => {
    const issuer = await issuerWith('10.00');
    await adoptNextTerm();
    await estate.putCluster({ term, leader: null, phase: 'fenced', operation: 'op-1' });
    await waitUntil('the gateway knows', async () => (await gateway.call('GET', '/readyz')).status === 503);
    const reply = await gateway.reserve({ issuer_id: issuer, reservation_token: 'none-1' });
    expect([reply.status, reply.body.code]).toEqual([503, 'no_authority']);
    expect(reply.body.detail).toContain('op-1');
    for (const named of [issuer, null]) {
      expect((await gateway.token('none-1', named)).status).toBe(503);
    }
    await adoptNextTerm();
    const waiting = gateway.reserve({ issuer_id: issuer, notional: '1.00', reservation_token: 'none-2' });
    await estate.putCluster({ term });
    expect((await waiting).body.status).toBe('confirmed');
    await waitUntil('it serves again', async () => (await gateway.call('GET', '/readyz')).status === 200);
  });
});
