import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_SHARD_COUNT, shardOf } from '../../src/domain/shard.ts';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { failOver, must } from '../support/fail-over.ts';
import { HalfOpenProxy } from '../support/half-open-proxy.ts';
import { History } from '../support/history.ts';
import { report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers, postgresUrl, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const TIMES = sized({ full: 100, quick: 6 });
const TIMEOUT_MS = 120_000;

let sandbox: TestSandbox;
let desks: Desks;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());
beforeEach(() => {
  desks = openDesks(sandbox, new History());
});
afterEach(() => desks.close());

const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 40_000, interval: 100 });
const issuerOf = async (cluster: string, prefix: string, limit = '1000000'): Promise<string> =>
  (await freshIssuers(desks, { cluster, count: 1, limit, prefix }))[0] ?? '';
/** The same desk, whichever gateway it talks to. */
const through = (region: string) => desks.at(region, { keyOf: 'new-york' });

test(
  'a reply cut off after the commit is resolved by its token, and a retry reserves nothing twice',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const issuer = await issuerOf('c1', 'cut-reply');
    const url = new URL(sandbox.environment.gateways[0]?.url ?? '');
    const proxy = await HalfOpenProxy.start(Number(url.port));
    try {
      for (let n = 0; n < TIMES; n += 1) {
        const order = { issuer, notional: '10', token: `cut-reply-${n}` };
        const cut = proxy.cutReplyTo(/POST \/reservations/);
        const lost = await desks.at('new-york', { url: `http://127.0.0.1:${proxy.port}` }).reserve(order);
        await cut;
        expect(lost.kind).toBe('info');
        expect((await through('madrid').resolve(order)).body['status']).toBe('confirmed');
        expect(await through('madrid').reserve(order)).toMatchObject({
          outcome: 'confirmed',
          replayed: true,
        });
      }
    } finally {
      await proxy.stop();
    }
    const { body } = await desks.at('madrid').get(`/issuers/${issuer}`);
    expect(body['reserved']).toBe(`${TIMES * 10}.00`);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${TIMES} replies cut off`);
  },
);

test(
  'a token sent at once through both gateways, with the same and with another body, has one outcome',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const issuer = await issuerOf('c1', 'at-once');
    for (let n = 0; n < TIMES; n += 1) {
      const order = { issuer, token: `at-once-${n}` };
      const answers = await Promise.all(
        ['10', '20'].flatMap((notional) =>
          ['new-york', 'madrid', 'new-york', 'madrid'].map((region) =>
            through(region).reserve({ ...order, notional }),
          ),
        ),
      );
      const confirmed = answers.filter(({ outcome }) => outcome === 'confirmed');
      expect(confirmed.filter(({ replayed }) => replayed === false)).toHaveLength(1);
      expect(new Set(confirmed.map(({ commitToken }) => commitToken)).size).toBe(1);
      // One body won: all four of it have its outcome, the other four are told that the token is bound to other content.
      expect(confirmed).toHaveLength(4);
      expect(answers.filter(({ code }) => code === 'token_reused')).toHaveLength(4);
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${TIMES} tokens, 8 requests each`);
  },
);

test(
  'settling a token beats its late original, and a race of both has one outcome',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const issuer = await issuerOf('c2', 'settled');
    const late = { issuer, notional: '10', token: 'settled-first' };
    const { status, result } = await sandbox.capstan<{ status: string }>([
      'token',
      'resolve',
      late.token,
      '--issuer',
      issuer,
      '--settle',
      '--yes',
    ]);
    expect([status, result.data.status]).toEqual([0, 'abandoned']);
    expect(await through('new-york').reserve(late)).toMatchObject({ http: 409, outcome: 'abandoned' });
    let settled = 0;
    for (let n = 0; n < TIMES; n += 1) {
      const order = { issuer, notional: '10', token: `settle-race-${n}` };
      const [original, settle] = await Promise.all([
        through('new-york').reserve(order),
        through('madrid').settle(order),
      ]);
      expect(original.outcome).not.toBeNull();
      expect(original.outcome).toBe(settle.outcome);
      if (settle.outcome === 'abandoned') settled += 1;
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${TIMES} races, ${settled} settled, ${TIMES - settled} confirmed`);
  },
);

test(
  'a gateway killed with a batch in flight leaves one outcome for each token',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const issuer = await issuerOf('c1', 'killed-gateway');
    const orders = Array.from({ length: 64 }, (_, n) => ({
      issuer,
      notional: '10',
      token: `in-flight-${n}`,
    }));
    await must(sandbox, 'sandbox', 'pause', 'c1-new-york-2');
    const sent = await sendAsOneBatch(issuer, () =>
      orders.map((order) => through('new-york').reserve(order)),
    );
    await eventually(async () => expect(await waitingForFollower('c1')).not.toEqual([]));
    await must(sandbox, 'sandbox', 'kill', 'gateway-new-york');
    await must(sandbox, 'sandbox', 'resume', 'c1-new-york-2');
    for (const answer of await Promise.all(sent)) expect(answer.kind).toBe('info');
    await must(sandbox, 'sandbox', 'start', 'gateway-new-york');
    let replayed = 0;
    for (const order of orders) {
      const retry = await eventually(async () => {
        const answer = await through('madrid').reserve(order);
        expect(answer.outcome).toBe('confirmed');
        return answer;
      });
      if (retry.replayed === true) replayed += 1;
    }
    expect(replayed).toBeGreaterThan(1);
    const { body } = await desks.at('madrid').get(`/issuers/${issuer}`);
    expect(body['reserved']).toBe(`${orders.length * 10}.00`);
    await eventually(async () => expect((await through('new-york').get('/readyz')).status).toBe(200));
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${orders.length} requests, ${replayed} of them decided before the gateway died`);
  },
);

test(
  'a decision whose wait for the follower was cancelled is reported by nobody before the follower has it, and no reported outcome vanishes in a failover',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const issuer = await issuerOf('c1', 'cancelled');
    const first = { issuer, notional: '10', token: 'before' };
    expect((await through('new-york').reserve(first)).outcome).toBe('confirmed');
    const order = { issuer, notional: '50', token: 'cancelled' };

    await must(sandbox, 'sandbox', 'pause', 'c1-new-york-2');
    const sending = through('new-york').reserve(order);
    const [pid] = await eventually(async () => {
      const pids = await waitingForFollower('c1');
      expect(pids).not.toEqual([]);
      return pids;
    });
    await asSuperuser('c1', `select pg_cancel_backend(${pid})`);
    // Now it is visible on the leader, and only there.
    await eventually(async () => {
      const rows = await asSuperuser(
        'c1',
        `select 1 from capstan.reservation_token where reservation_token = 'cancelled'`,
      );
      expect(rows).toHaveLength(1);
    });
    expect(await sending).toMatchObject({ kind: 'info', outcome: null });
    const [retry, resolution, read, open] = await Promise.all([
      through('madrid').reserve(order),
      through('madrid').resolve(order),
      through('madrid').get(`/issuers/${issuer}`),
      through('madrid').get(`/issuers/${issuer}/open-reservations`),
    ]);
    expect(retry.outcome).toBeNull();
    expect(resolution.status).toBe(503);
    expect([read.status, open.status]).toEqual([503, 503]);
    const asked = await sandbox.capstan<{ status: string }>([
      'token',
      'resolve',
      order.token,
      '--issuer',
      issuer,
    ]);
    expect(asked.result.data.status).toBe('unknown');

    await must(sandbox, 'sandbox', 'kill', 'c1-new-york-1');
    await must(sandbox, 'sandbox', 'resume', 'c1-new-york-2');
    const change = await failOver(sandbox, 'c1');
    const known = await eventually(async () => {
      const { status } = await through('madrid').resolve(order);
      expect([200, 404]).toContain(status);
      return status === 200 ? 'reached the follower' : 'was lost with the leader, unreported';
    });
    expect(await through('madrid').reserve(first)).toMatchObject({ outcome: 'confirmed', replayed: true });
    expect((await through('madrid').reserve(order)).outcome).toBe('confirmed');
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `term ${change.oldTerm} -> ${change.term}; the cancelled decision ${known}`);
  },
);

/**
 * The first command of a lane is sent alone. While the shard's head is locked that one is refused as busy, and the next
 * batch takes all that have come meanwhile; it goes on once the lock is released.
 */
async function sendAsOneBatch<T>(issuer: string, send: () => T): Promise<T> {
  const { leader } = await leaderOf('c1');
  const lock = new Client({ connectionString: postgresUrl(sandbox, leader, 'superuser') });
  await lock.connect();
  try {
    const shard = shardOf(issuer, DEFAULT_SHARD_COUNT);
    await lock.query(`begin; select 1 from capstan.shard_head where shard_id = ${shard} for update`);
    const sent = send();
    const tries = new Set<string>();
    await eventually(async () => {
      const waiting = await asSuperuser(
        'c1',
        `select query_start::text as since from pg_stat_activity where wait_event_type = 'Lock' and query like '%decide%'`,
      );
      for (const { since } of waiting) tries.add(String(since));
      expect(tries.size).toBeGreaterThan(1);
    });
    return sent;
  } finally {
    await lock.end();
  }
}

async function asSuperuser(cluster: string, sql: string): Promise<Record<string, unknown>[]> {
  const { leader } = await leaderOf(cluster);
  const client = new Client({
    connectionString: postgresUrl(sandbox, leader, 'superuser'),
    connectionTimeoutMillis: 5_000,
  });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Backends whose decision is committed here and waits for the follower. */
async function waitingForFollower(cluster: string): Promise<number[]> {
  const rows = await asSuperuser(
    cluster,
    `select pid from pg_stat_activity where wait_event = 'SyncRep' and usename = 'capstan_gateway' and query like '%decide%'`,
  );
  return rows.map(({ pid }) => Number(pid));
}

async function leaderOf(cluster: string): Promise<{ leader: string }> {
  const { leader } = await clusterState(sandbox, cluster);
  if (leader === null) throw new Error(`${cluster} has no leader`);
  return { leader };
}
