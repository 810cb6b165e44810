import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beat, readHeadsToBeat } from '../../src/reservations/heartbeat-sql.ts';
import {
  FOLLOWER,
  GatewayEstate,
  type GatewayClient,
  ISSUER,
  LEADER,
  type Reply,
} from '../support/gateway-estate.ts';
import { grantTestLease, SCOPE, waitUntil } from '../support/postgres.ts';

const CLUSTER = { cluster: 'c1', epoch: SCOPE.epoch, term: SCOPE.term };
const PAGES = `/issuers/${ISSUER}/open-reservations`;

let estate: GatewayEstate;
let gateway: GatewayClient;

beforeAll(async () => {
  estate = await GatewayEstate.start({ pair: true });
  gateway = await estate.gateway();
  await gateway.setLimit(ISSUER, '1000000.00');
});
afterAll(() => estate?.stop());

/** As the leader's agent does. */
async function beatOnce(): Promise<void> {
  const agent = await estate.leader.connect('agent');
  const read = await readHeadsToBeat(agent, CLUSTER, { due: true }, { deadlineMs: 5_000 });
  if (read.kind !== 'read' || read.at === null) throw new Error(JSON.stringify(read));
  await beat(agent, CLUSTER, { ...read, at: read.at }, { deadlineMs: 5_000 });
  await agent.end();
}

let number = 0;
async function reserved(id?: string): Promise<string> {
  number += 1;
  const reply = await gateway.reserve({
    reservation_token: `read-${number}`,
    ...(id === undefined ? {} : { reservation_id: id }),
  });
  expect(reply.status).toBe(201);
  return (reply.body as { commit_token: string }).commit_token;
}

const positionOf = (token: string | null): bigint => BigInt(/@(\d+)~/.exec(token ?? '')?.[1] ?? -1);
const servedBy = ({ headers }: Reply) => headers.get('capstan-served-by');
const read = (query: string, headers: Record<string, string> = {}) =>
  gateway.call('GET', `/issuers/${ISSUER}${query}`, { headers });

async function untilFollower(query: string): Promise<Reply> {
  let reply: Reply | undefined;
  await waitUntil(`the follower answers ${query}`, async () => {
    reply = await read(query);
    return servedBy(reply) === `follower ${FOLLOWER}`;
  });
  if (reply === undefined) throw new Error('unreachable');
  return reply;
}

/** While two are recorded, neither alone proves what it shows. */
async function recordVoters(...members: string[]): Promise<void> {
  await estate.put({
    [estate.keys.inSync('c1')]: {
      term: SCOPE.term,
      epoch: SCOPE.epoch,
      voters: members.map((member) => ({ member, incarnation: 'i1' })),
      required: members.length,
      degraded: false,
      since: new Date().toISOString(),
    },
  });
}

describe('a read without a bound', () => {
  it('is the leader’s, and names the state that it shows', async () => {
    const token = await reserved();
    const reply = await read('');
    expect(servedBy(reply)).toBe(`leader ${LEADER}`);
    expect(reply.headers.get('capstan-staleness-ms')).toBe('0');
    expect(positionOf(reply.headers.get('capstan-position'))).toBeGreaterThanOrEqual(positionOf(token));
  });
});

describe('a read that is bound to a commit token', () => {
  it('is a follower’s of this region, and reflects it', async () => {
    const token = await reserved('bound-1');
    const reply = await untilFollower(`/open-reservations?commit_token=${token}&limit=500`);
    const rows = (reply.body as { reservations: { reservation_id: string }[] }).reservations;
    expect(rows.map(({ reservation_id }) => reservation_id)).toContain('bound-1');
    expect(positionOf(reply.headers.get('capstan-position'))).toBeGreaterThanOrEqual(positionOf(token));
  });

  it('goes to the leader when the follower hasn’t got it, or says so when it was told to', async () => {
    const last = await lastToken();
    await untilFollower(`?commit_token=${last}`);
    const ahead = `shard184@${positionOf(last) + 1n}~1.1`;
    const resume = await estate.pair?.pauseFollower();
    try {
      const pending = gateway.reserve({ reservation_token: 'paused', reservation_id: 'paused' });
      const failed = await read(`?commit_token=${ahead}&when_behind=fail`);
      expect(failed).toMatchObject({ status: 503, body: { code: 'commit_token_behind' } });
      resume?.();
      expect((await pending).status).toBe(201);
    } finally {
      resume?.();
    }
    const reply = await read(`?commit_token=${ahead}&when_behind=wait`);
    expect(reply.status).toBe(200);
  });

  it('is never answered by a member that runs ahead of what was called confirmed', async () => {
    await recordVoters(FOLLOWER, 'c1-other');
    try {
      await beatOnce();
      const token = await reserved();
      await waitUntil('the follower shows it', async () => {
        const there = await estate.pair?.follower.connect('reader');
        const found = await there?.query<{ position: string }>(
          'select position from capstan.shard_head where shard_id = 184',
        );
        await there?.end();
        return BigInt(found?.rows[0]?.position ?? 0) >= positionOf(token);
      });
      const failed = await read(`?commit_token=${token}&when_behind=fail`);
      expect(failed).toMatchObject({ status: 503, body: { code: 'commit_token_behind' } });
      expect(servedBy(await read(`?commit_token=${token}`))).toBe(`leader ${LEADER}`);
      expect((await read('?max_staleness_ms=60000&when_behind=fail')).body).toMatchObject({
        issuer_id: ISSUER,
      });
      const older = await untilFollower('?max_staleness_ms=60000');
      expect(positionOf(older.headers.get('capstan-position'))).toBeLessThan(positionOf(token));
      await beatOnce();
      await untilFollower(`?commit_token=${token}`);
    } finally {
      await recordVoters(FOLLOWER);
    }
  });

  it('names its field when the token is another shard’s, malformed, or differs from the header', async () => {
    for (const [query, headers] of [
      ['?commit_token=shard9@1~1.1', {}],
      ['?commit_token=nonsense', {}],
      ['?commit_token=shard184@1~1.1', { 'capstan-commit-token': 'shard184@2~1.1' }],
      ['', { 'capstan-commit-token': 'shard9@1~1.1' }],
    ] as const)
      expect(await read(query, headers)).toMatchObject({ status: 400, body: { field: 'commit_token' } });
  });

  it('of a position that nobody decided is unknown', async () => {
    const reply = await read('?commit_token=shard184@99999~1.1');
    expect(reply).toMatchObject({ status: 409, body: { code: 'commit_token_unknown' } });
  });
});

describe('a read with a staleness bound', () => {
  it('is a follower’s while its heartbeat is young enough, and states that age', async () => {
    await beatOnce();
    const reply = await untilFollower('?max_staleness_ms=60000');
    expect(Number(reply.headers.get('capstan-staleness-ms'))).toBeLessThanOrEqual(60_000);
  });

  it('that no follower meets is the leader’s, or refused, never older', async () => {
    expect(await read('?max_staleness_ms=0&when_behind=fail')).toMatchObject({
      status: 503,
      body: { code: 'staleness_bound_unmet' },
    });
    const reply = await read('?max_staleness_ms=0');
    expect(servedBy(reply)).toBe(`leader ${LEADER}`);
    expect(reply.headers.get('capstan-staleness-ms')).toBe('0');
  });
});

describe('pages', () => {
  it('all show the state of the first, whoever answers and whatever is released and reserved between', async () => {
    for (const name of ['p-1', 'p-2', 'p-3']) await reserved(name);
    const first = await gateway.call('GET', `${PAGES}?limit=2`);
    const { at } = first.body as { at: string };
    const whole = await gateway.call('GET', `${PAGES}?limit=500&at=${encodeURIComponent(at)}`);
    const release = await gateway.call('POST', '/reservations/p-3/release', {
      body: { issuer_id: ISSUER, reservation_token: 'release-p-3' },
    });
    expect(release.status).toBe(200);
    await reserved('p-2b');
    const seen = [...first.body.reservations];
    let next = first.body.next as string | null;
    while (next !== null) {
      const page = await gateway.call('GET', next);
      expect(page).toMatchObject({ status: 200 });
      expect(page.headers.get('capstan-position')).toBe(at);
      seen.push(...page.body.reservations);
      next = page.body.next;
    }
    expect(seen).toEqual(whole.body.reservations);
    expect(seen.map(({ reservation_id }) => reservation_id)).toContain('p-3');
    const again = await untilFollower(`/open-reservations?limit=500&at=${encodeURIComponent(at)}`);
    expect(again.body.reservations).toEqual(whole.body.reservations);
  });

  it('show an issuer’s exposure at that position too', async () => {
    const before = await read('');
    const at = before.headers.get('capstan-position');
    const client = await estate.leader.connect('gateway');
    await reserved();
    const { rows } = await client.query<{
      found: { issuer: { reserved: string; open_count: number; position: string } };
    }>(
      `select capstan.read_issuer_at('c1', 1, 184, 1, 1, $$${ISSUER}$$, false, ${positionOf(at)}, null, 0) as found`,
    );
    const found = rows[0]?.found.issuer;
    expect(Number(found?.reserved) / 100).toBe(Number(before.body.reserved));
    expect(found).toMatchObject({ open_count: before.body.open_count, position: before.body.position });
    await client.end();
  });
});

async function lastToken(): Promise<string> {
  return (await read('')).headers.get('capstan-position') ?? '';
}

// From here on the term is 2.
describe('after a failover that lost something', () => {
  it('a token that it lost is refused with the operation, and so is a page of that state', async () => {
    const head = positionOf(await lastToken());
    await estate.put({
      [estate.keys.loss('c1', 'op-lost')]: {
        operation: 'op-lost',
        cluster: 'c1',
        formerTerm: 1,
        term: 2,
        timeline: 2,
        lsn: '0/0',
        positions: { '184': String(head) },
        voters: [],
        members: {},
        status: 'open',
        lost: null,
        signedOff: null,
        since: new Date().toISOString(),
      },
    });
    await estate.adopt(2);
    await grantTestLease(estate.leader, {
      term: 2,
      syncNames: estate.pair?.syncNames ?? '',
      syncRequired: 1,
      syncMembers: estate.pair?.syncMembers ?? [],
    });
    await estate.putCluster({ term: 2 });
    const lost = `shard184@${head + 1n}~1.1`;
    await waitUntil(
      'the gateway has the new term',
      async () => (await read('')).headers.get('capstan-term') === '2',
    );
    await reserved();
    for (const policy of ['leader', 'wait', 'fail'])
      expect(await read(`?commit_token=${lost}&when_behind=${policy}`)).toMatchObject({
        status: 409,
        body: { code: 'commit_token_lost', operation: 'op-lost', commit_token: lost },
      });
    const page = await read(`/open-reservations?at=${lost}`);
    expect(page).toMatchObject({ status: 409, body: { code: 'page_expired', operation: 'op-lost' } });
    const kept = await read(`?commit_token=shard184@${head}~1.1`);
    expect(kept.status).toBe(200);
  });
});
