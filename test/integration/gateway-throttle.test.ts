import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayClient, GatewayEstate, issuersOf, type Reply } from '../support/gateway-estate.ts';
import { eventually } from '../support/etcd.ts';

const PER_SECOND = 10;
const SHARDS = [3, 77, 184, 301] as const;
let estate: GatewayEstate;
let gateway: GatewayClient;
const issuers = SHARDS.flatMap((shard) => issuersOf(shard, 1));

const withdrawn = {
  status: 'withdrawn',
  reason: 'the remote follower is behind the gate',
  validUntil: null,
  lagMs: 3_200,
  action: 'throttle',
  decisionsPerSecond: PER_SECOND,
} as const;

beforeAll(async () => {
  estate = await GatewayEstate.start({
    contract: (shipped) => ({
      ...shipped,
      rpo: { ...shipped.rpo, action: 'throttle', throttle: { decisionsPerSecond: PER_SECOND } },
    }),
  });
  await estate.putClaim({ action: 'throttle', decisionsPerSecond: PER_SECOND });
  gateway = await estate.gateway();
  for (const issuer of issuers) {
    const { status, text } = await gateway.setLimit(issuer, '100000.00');
    if (status !== 200) throw new Error(`${issuer} has no limit: ${text}`);
  }
});
afterAll(() => estate.stop());

const action = async () => (await gateway.token('tok-none', issuers[0])).headers.get('capstan-rpo-action');
const untilAction = (expected: string) =>
  eventually(`the action is ${expected}`, async () => ((await action()) === expected ? true : undefined));

/** Reservations of all shards at once, more than the pace lets pass in their time. */
async function flood(
  count: number,
  name: string,
): Promise<readonly { token: string; issuer: string; reply: Reply }[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const issuer = issuers[index % issuers.length] ?? '';
      const token = `${name}-${index}`;
      const reply = await gateway.reserve({ issuer_id: issuer, notional: '1.00', reservation_token: token });
      return { token, issuer, reply };
    }),
  );
}

describe('while the remote follower is behind, under `throttle`', () => {
  it('a gateway lets no more decisions pass than the contract says, in every shard some, and refuses the rest', async () => {
    await estate.putClaim(withdrawn);
    await untilAction('throttle');
    const begun = performance.now();
    const answers = await flood(120, 'over');
    const seconds = (performance.now() - begun) / 1_000;
    const decided = answers.filter(({ reply }) => reply.status === 201);
    const refused = answers.filter(({ reply }) => reply.status === 503);
    expect(decided.length).toBeGreaterThan(0);
    const sent = answers.filter(({ reply }) => reply.status !== 503);
    expect(sent.length).toBeLessThanOrEqual(Math.ceil(PER_SECOND * (seconds + 0.25)) + 1);
    expect(new Set(decided.map(({ issuer }) => issuer)).size, 'no shard starves').toBe(issuers.length);
    expect(refused.length).toBeGreaterThan(0);
    const others = answers.filter(({ reply }) => ![201, 202, 503].includes(reply.status));
    expect(others).toEqual([]);
    for (const { reply } of refused) {
      expect(reply.body).toMatchObject({ code: 'rpo_throttled', effect: 'none' });
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(reply.headers.get('capstan-rpo-action')).toBe('throttle');
      expect(reply.headers.get('capstan-rpo-claim')).toBe('withdrawn');
    }
    const found = await Promise.all(refused.map(({ token, issuer }) => gateway.token(token, issuer)));
    expect(new Set(found.map(({ status }) => status)), 'what was refused has no effect').toEqual(
      new Set([404]),
    );
  });

  it('metrics and readiness say it, and a lone decision passes', async () => {
    const { text } = await gateway.call('GET', '/metrics');
    expect(text).toMatch(/capstan_gateway_rpo_action\{cluster="c1",action="throttle"\} 1/);
    expect(text).toMatch(/capstan_gateway_rpo_claim\{cluster="c1"\} 0/);
    expect(text).toMatch(/capstan_gateway_rpo_budget_seconds\{cluster="c1"\} 5/);
    expect(text).toMatch(/capstan_gateway_rpo_throttled_total\{cluster="c1"\} [1-9]/);
    const ready = await gateway.call('GET', '/readyz?cluster=c1');
    expect(ready.body.clusters[0].rpo).toMatchObject({
      claim: 'withdrawn',
      action: 'throttle',
      acts: true,
      budget_ms: 5_000,
    });
    expect(ready.body.clusters[0].promises.decisions.kept).toBe(true);
    expect(ready.body.clusters[0].promises.rpo.kept).toBe(false);
    const reply = await gateway.reserve({ issuer_id: issuers[0], reservation_token: 'lone' });
    expect([reply.status, reply.headers.get('capstan-rpo-action')]).toEqual([201, 'throttle']);
  });

  it('a claim that is gone, or of another term, slows as well: unknown is not near', async () => {
    await estate.kv.transact([], [{ kind: 'delete', key: estate.keys.claim('c1') }]);
    await eventually('unknown', async () => {
      const { body } = await gateway.call('GET', '/readyz?cluster=c1');
      return body.clusters[0].rpo.claim === 'unknown' ? true : undefined;
    });
    expect(await action()).toBe('throttle');
    await estate.putClaim({ term: 99, action: 'degrade' });
    await eventually('the other term is seen', async () => {
      const { body } = await gateway.call('GET', '/readyz?cluster=c1');
      return body.clusters[0].rpo.reason.includes('term 99') ? true : undefined;
    });
    expect(await action()).toBe('throttle');
  });

  it('ends by itself: who waits goes on as soon as the claim is back', async () => {
    await estate.putClaim({ ...withdrawn, decisionsPerSecond: 1 });
    await eventually('the rate is seen', async () => {
      const { body } = await gateway.call('GET', '/readyz?cluster=c1');
      return body.clusters[0].rpo.claim === 'withdrawn' ? true : undefined;
    });
    const waiting = flood(200, 'back');
    await eventually('they wait', async () => {
      const { text } = await gateway.call('GET', '/metrics');
      return /capstan_gateway_waiting_commands [1-9]\d\d/.test(text) ? true : undefined;
    });
    await estate.putClaim({ action: 'throttle', decisionsPerSecond: PER_SECOND });
    const answers = await waiting;
    const confirmed = answers.filter(({ reply }) => reply.status === 201);
    expect(confirmed.length, 'far more than the pace').toBeGreaterThan(100);
    await untilAction('none');
  });
});
