import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import {
  FOLLOWER,
  type GatewayClient,
  GatewayEstate,
  ISSUER,
  type Reply,
} from '../support/gateway-estate.ts';
import { grantTestLease, SCOPE, waitUntil } from '../support/postgres.ts';

const CALLERS = 8;
let estate: GatewayEstate;
let gateways: readonly GatewayClient[];

beforeAll(async () => {
  estate = await GatewayEstate.start({
    pair: true,
    contract: (contract) => ({
      ...contract,
      deadlines: { ...contract.deadlines, decisionMs: 1_000, lockWaitMs: 400 },
    }),
  });
  gateways = await Promise.all([estate.gateway(), estate.gateway()]);
});
afterAll(() => estate.stop());

/** The part of agents and coordinator: the follower is the next term's leader, its own durable set. */
async function promote(): Promise<void> {
  const follower = estate.pair?.follower;
  if (follower === undefined) throw new Error('there is no follower');
  const admin = await follower.connect('superuser');
  await admin.query('select pg_promote()');
  const agent = await follower.connect('agent');
  const shards = Array.from({ length: 480 }, (_, shard) => ({
    shard,
    generation: 1,
    state: 'serving' as const,
  }));
  await adoptTerm(agent, { ...SCOPE, term: 2, reason: 'test', shards });
  await grantTestLease(follower, { term: 2, leader: FOLLOWER });
  await estate.putCluster({ term: 2, leader: FOLLOWER });
}

describe('when the leader is killed under load and its follower takes over', () => {
  it('each token has one outcome, what was confirmed is there, and nothing is over-allocated', async () => {
    const [gateway] = gateways;
    if (gateway === undefined) throw new Error('there is no gateway');
    await gateway.setLimit(ISSUER, '60.00');
    const stop = new AbortController();
    const replies: { token: string; reply: Reply }[] = [];
    const confirmed = () => replies.filter(({ reply }) => [200, 201].includes(reply.status));
    const caller = async (id: number) => {
      for (let n = 0; !stop.signal.aborted; n += 1) {
        const token = `load-${id}-${n}`;
        const via = gateways[(id + n) % gateways.length] ?? gateway;
        replies.push({ token, reply: await via.reserve({ notional: '0.01', reservation_token: token }) });
      }
    };
    const callers = Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
    await waitUntil('there is load', () => confirmed().length > 50, 30_000);
    estate.leader.server.signal('SIGKILL');
    await estate.leader.server.exited;
    await waitUntil('it is felt', () => replies.some(({ reply }) => reply.status >= 202), 10_000);
    await promote();
    const underTerm2 = () => confirmed().some(({ reply }) => reply.body.commit_token.endsWith('~1.2'));
    await waitUntil('the new leader decides', underTerm2, 30_000);
    stop.abort();
    await callers;

    const statuses = new Set(replies.map(({ reply }) => reply.status));
    for (const status of statuses) expect([200, 201, 202, 409, 503]).toContain(status);
    const refused = replies.filter(({ reply }) => reply.status === 503);
    expect(refused.every(({ reply }) => reply.body.effect === 'none')).toBe(true);
    const settled = await Promise.all(
      replies.map(async ({ token, reply }) => ({ reply, body: (await gateway.settle(token)).body })),
    );
    const final = (status: number) => settled.filter(({ reply }) => reply.status === status);
    expect(final(503).filter(({ body }) => body.status !== 'abandoned')).toEqual([]);
    const told = settled.filter(({ reply }) => reply.body.commit_token !== undefined);
    expect(told.map(({ body }) => body.commit_token)).toEqual(
      told.map(({ reply }) => reply.body.commit_token),
    );
    const held = settled.filter(({ body }) => body.status === 'confirmed').length;
    const { body } = await gateway.call('GET', `/issuers/${ISSUER}`);
    expect(body.open_count).toBe(held);
    expect(body.over_limit).toBe(false);
  });
});
