import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayClient, GatewayEstate, issuersOf, type Reply } from '../support/gateway-estate.ts';

let estate: GatewayEstate;
let gateway: GatewayClient;
let other: GatewayClient;
const issuers = issuersOf(184, 40)[Symbol.iterator]();
const nextIssuer = () => issuers.next().value ?? 'MUNI-77';

/** A fresh issuer with a limit. */
async function issuerWith(limit: string): Promise<string> {
  const issuer = nextIssuer();
  const set = await gateway.setLimit(issuer, limit);
  expect(set.status).toBe(200);
  return issuer;
}

const statusesOf = (replies: readonly Reply[]): number[] =>
  replies.map((reply) => reply.status).toSorted((x, y) => x - y);

beforeAll(async () => {
  estate = await GatewayEstate.start();
  [gateway, other] = await Promise.all([estate.gateway(), estate.gateway()]);
});
afterAll(() => estate.stop());

describe('a reservation', () => {
  it('is confirmed with its commit token, and every header that says under what authority', async () => {
    const issuer = await issuerWith('100.00');
    const reply = await gateway.reserve({
      issuer_id: issuer,
      notional: 40.5,
      reservation_token: 'tok-a',
      reservation_id: 'res-a',
    });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      status: 'confirmed',
      reservation_id: 'res-a',
      reservation_token: 'tok-a',
      commit_token: expect.stringMatching(/^shard184@\d+~1\.1$/),
      shard: 184,
      position: expect.stringMatching(/^\d+$/),
      remaining: '59.50',
      replayed: false,
    });
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'capstan-shard': '184',
      'capstan-generation': '1',
      'capstan-term': '1',
      'capstan-rpo-lag-ms': 'unknown',
      'capstan-rpo-claim': 'unknown',
      'capstan-durability': 'degraded',
    });
  });

  it('sent again is the first outcome byte for byte, but for `replayed`, through any gateway', async () => {
    const issuer = await issuerWith('100.00');
    const request = { issuer_id: issuer, notional: '1', reservation_token: 'tok-r' };
    const first = await gateway.reserve(request);
    await gateway.reserve({ issuer_id: issuer, notional: '5', reservation_token: 'tok-r2' });
    const again = await other.reserve({ ...request, notional: 1 });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.text).toBe(first.text.replace('"replayed":false', '"replayed":true'));
  });

  it('beyond the headroom is rejected, finally', async () => {
    const issuer = await issuerWith('10.00');
    const request = { issuer_id: issuer, notional: '10.01', reservation_token: 'tok-x' };
    const first = await gateway.reserve(request);
    expect(first.status).toBe(409);
    expect(first.body).toMatchObject({
      status: 'rejected',
      reason: 'insufficient_headroom',
      remaining: '10.00',
      replayed: false,
    });
    await gateway.setLimit(issuer, '1000.00');
    const again = await gateway.reserve(request);
    expect(again.status).toBe(409);
    expect(again.text).toBe(first.text.replace('"replayed":false', '"replayed":true'));
  });

  it('with a used token and another body, desk or id is refused with 422 and has no effect', async () => {
    const issuer = await issuerWith('100.00');
    const request = { issuer_id: issuer, notional: '10', reservation_token: 'tok-u' };
    await gateway.reserve(request);
    const replies = await Promise.all([
      gateway.reserve({ ...request, notional: '11' }),
      gateway.reserve({ ...request, reservation_id: 'named' }),
      gateway.reserve(request, estate.otherDeskKey),
    ]);
    for (const reply of replies) {
      expect(reply.status).toBe(422);
      expect(reply.headers.get('content-type')).toContain('application/problem+json');
      expect(reply.body).toMatchObject({ code: 'token_reused', status: 422, effect: 'none' });
    }
    const { body } = await gateway.call('GET', `/issuers/${issuer}`);
    expect(body).toMatchObject({ reserved: '10.00', remaining: '90.00', open_count: 1 });
  });

  it('under an id that another token made is refused with 409 reservation_exists', async () => {
    const issuer = await issuerWith('100.00');
    await gateway.reserve({ issuer_id: issuer, reservation_token: 'tok-1', reservation_id: 'R1' });
    const reply = await gateway.reserve({
      issuer_id: issuer,
      reservation_token: 'tok-2',
      reservation_id: 'R1',
    });
    expect(reply.status).toBe(409);
    expect(reply.body).toMatchObject({ code: 'reservation_exists', field: 'reservation_id' });
  });

  it('for an issuer without a limit is refused with 404', async () => {
    const reply = await gateway.reserve({ issuer_id: nextIssuer(), reservation_token: 'tok-1' });
    expect(reply.status).toBe(404);
    expect(reply.body.code).toBe('issuer_not_found');
  });

  it('sent twenty times at once through two gateways is one reservation', async () => {
    const issuer = await issuerWith('100.00');
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? gateway : other).reserve({ issuer_id: issuer, reservation_token: 'tok-many' }),
      ),
    );
    expect(statusesOf(replies)).toEqual([...Array(19).fill(200), 201]);
    expect(new Set(replies.map((reply) => reply.body.commit_token)).size).toBe(1);
    expect((await gateway.call('GET', `/issuers/${issuer}`)).body.reserved).toBe('10.00');
  });

  it('sent twice at once with different bodies is one outcome and one refusal', async () => {
    const issuer = await issuerWith('100.00');
    const replies = await Promise.all(
      ['10', '20'].map((notional, n) =>
        (n === 0 ? gateway : other).reserve({ issuer_id: issuer, notional, reservation_token: 'tok-two' }),
      ),
    );
    expect(statusesOf(replies)).toEqual([201, 422]);
  });

  it('never takes an issuer over its limit, whoever races for the last headroom', async () => {
    const issuer = await issuerWith('100.00');
    const replies = await Promise.all(
      Array.from({ length: 64 }, (_, n) =>
        (n % 2 === 0 ? gateway : other).reserve({
          issuer_id: issuer,
          notional: '7.00',
          reservation_token: `race-${n}`,
        }),
      ),
    );
    const confirmed = replies.filter((reply) => reply.status === 201);
    expect(confirmed.length).toBe(14);
    expect(replies.filter((reply) => reply.status === 409).length).toBe(50);
    const positions = replies.map((reply) => Number(reply.body.position)).toSorted((x, y) => x - y);
    expect(positions.at(-1)).toBe((positions[0] ?? 0) + 63);
    const { body } = await gateway.call('GET', `/issuers/${issuer}/open-reservations?limit=500`);
    expect(
      body.reservations.map((entry: { reservation_token: string }) => entry.reservation_token).toSorted(),
    ).toEqual(confirmed.map((reply) => String(reply.body.reservation_token)).toSorted());
  });
});

describe('a release', () => {
  it('frees the headroom once, and only for the desk that reserved', async () => {
    const issuer = await issuerWith('10.00');
    const made = await gateway.reserve({ issuer_id: issuer, reservation_token: 'tok-1' });
    const path = `/reservations/${made.body.reservation_id}/release`;
    const body = (token: string) => ({ body: { issuer_id: issuer, reservation_token: token } });
    const foreign = await gateway.call('POST', path, { ...body('rel-0'), key: estate.otherDeskKey });
    expect([foreign.status, foreign.body.code]).toEqual([403, 'not_your_reservation']);
    const released = await gateway.call('POST', path, body('rel-1'));
    expect(released.status).toBe(200);
    expect(released.body).toMatchObject({ status: 'confirmed', remaining: '10.00', replayed: false });
    const again = await gateway.call('POST', path, body('rel-1'));
    expect(again.body).toEqual({ ...released.body, replayed: true });
    const twice = await gateway.call('POST', path, body('rel-2'));
    expect(twice.body).toMatchObject({ status: 'rejected', reason: 'already_released' });
    const none = await gateway.call('POST', '/reservations/none/release', body('rel-3'));
    expect([none.status, none.body.code]).toEqual([404, 'reservation_not_found']);
  });
});

describe('a limit', () => {
  it('may be set below what is reserved: nothing more is confirmed until there is headroom', async () => {
    const issuer = await issuerWith('50.00');
    await gateway.reserve({ issuer_id: issuer, notional: '40', reservation_token: 'tok-1' });
    const lowered = await gateway.setLimit(issuer, '30.00');
    expect(lowered.body).toMatchObject({ limit: '30.00', reserved: '40.00', remaining: '-10.00' });
    const { body } = await gateway.call('GET', `/issuers/${issuer}`);
    expect(body).toMatchObject({ over_limit: true, remaining: '-10.00', open_count: 1 });
    const refused = await gateway.reserve({
      issuer_id: issuer,
      notional: '0.01',
      reservation_token: 'tok-2',
    });
    expect(refused.status).toBe(409);
  });

  it('is exact up to 10^15', async () => {
    const issuer = await issuerWith('1000000000000000');
    const reply = await gateway.reserve({
      issuer_id: issuer,
      notional: '999999999999999.99',
      reservation_token: 'tok-1',
    });
    expect(reply.body.remaining).toBe('0.01');
  });

  it('with a reason is a correction under the same rules', async () => {
    const issuer = await issuerWith('5.00');
    const body = { limit: '7.00', reservation_token: 'fix-1', reason: 'wrong figure' };
    const reply = await gateway.call('PUT', `/issuers/${issuer}/limit`, { body, key: estate.operatorKey });
    expect(reply.body).toMatchObject({ status: 'confirmed', limit: '7.00' });
    const token = await gateway.token('fix-1', issuer);
    expect(token.body).toMatchObject({ status: 'confirmed', command: 'correct' });
  });
});

describe('a token', () => {
  it('resolves to its outcome with the evidence, with and without its issuer', async () => {
    const issuer = await issuerWith('10.00');
    const made = await gateway.reserve({ issuer_id: issuer, reservation_token: 'tok-find' });
    for (const named of [issuer, null]) {
      const reply = await other.token('tok-find', named);
      expect(reply.status).toBe(200);
      expect(reply.body).toMatchObject({
        status: 'confirmed',
        issuer_id: issuer,
        commit_token: made.body.commit_token,
        reservation_id: made.body.reservation_id,
        remaining: '0.00',
        evidence: { shard: 184, cluster: 'c1', member: 'c1-leader', generation: 1, term: 1, epoch: 1 },
      });
      expect(reply.body.evidence.lease_left_ms).toBeGreaterThan(0);
    }
  });

  it('that nobody knows is 404 from the authority, with and without an issuer', async () => {
    const issuer = await issuerWith('10.00');
    for (const named of [issuer, null]) {
      const reply = await gateway.token('tok-none', named);
      expect([reply.status, reply.body.code]).toEqual([404, 'token_not_found']);
      const authority = { cluster: 'c1', member: 'c1-leader', term: 1, epoch: 1 };
      const right = { ...authority, lease_left_ms: expect.any(Number) };
      expect(reply.body.asked).toEqual(named === null ? [right] : []);
      expect(reply.body.evidence).toMatchObject(named === null ? { cluster: null } : authority);
    }
  });

  it('that several issuers know needs its issuer', async () => {
    const [one, two] = [await issuerWith('10.00'), await issuerWith('10.00')];
    await gateway.reserve({ issuer_id: one, reservation_token: 'tok-both' });
    await gateway.reserve({ issuer_id: two, reservation_token: 'tok-both' });
    const reply = await gateway.token('tok-both', null);
    expect([reply.status, reply.body.code]).toEqual([409, 'issuer_required']);
    expect(reply.body.issuers.toSorted()).toEqual([one, two].toSorted());
  });

  it('once settled is abandoned for ever: a late original gets 409', async () => {
    const issuer = await issuerWith('10.00');
    const settled = await gateway.settle('tok-late', issuer);
    expect(settled.status).toBe(200);
    expect(settled.body.status).toBe('abandoned');
    const late = await gateway.reserve({ issuer_id: issuer, reservation_token: 'tok-late' });
    expect([late.status, late.body.status]).toEqual([409, 'abandoned']);
    expect(late.body.commit_token).toBe(settled.body.commit_token);
    expect((await gateway.token('tok-late', issuer)).body.status).toBe('abandoned');
    expect((await gateway.call('GET', `/issuers/${issuer}`)).body.reserved).toBe('0.00');
  });

  it('that has an outcome keeps it when it is settled', async () => {
    const issuer = await issuerWith('10.00');
    const made = await gateway.reserve({ issuer_id: issuer, reservation_token: 'tok-done' });
    const settled = await gateway.settle('tok-done', issuer);
    expect(settled.body).toMatchObject({ status: 'confirmed', commit_token: made.body.commit_token });
  });
});

describe('open reservations', () => {
  it('come in pages that miss and repeat nothing', async () => {
    const issuer = await issuerWith('1000.00');
    await Promise.all(
      Array.from({ length: 7 }, (_, n) =>
        gateway.reserve({ issuer_id: issuer, reservation_token: `page-${n}` }),
      ),
    );
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const query = after === null ? '' : `&after=${encodeURIComponent(after)}`;
      const { status, body } = await gateway.call(
        'GET',
        `/issuers/${issuer}/open-reservations?limit=3${query}`,
      );
      expect(status).toBe(200);
      seen.push(...body.reservations.map((entry: { reservation_token: string }) => entry.reservation_token));
      after = body.next_after;
    } while (after !== null);
    expect(seen.toSorted()).toEqual(Array.from({ length: 7 }, (_, n) => `page-${n}`));
  });
});
