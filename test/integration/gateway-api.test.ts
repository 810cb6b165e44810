import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from '../../src/gateway/keys.ts';
import { openApiDocument } from '../../src/gateway/openapi.ts';
import { type GatewayClient, GatewayEstate, ISSUER } from '../support/gateway-estate.ts';
import { waitUntil } from '../support/postgres.ts';

let estate: GatewayEstate;
let gateway: GatewayClient;

beforeAll(async () => {
  estate = await GatewayEstate.start();
  gateway = await estate.gateway();
  await gateway.setLimit(ISSUER, '1000.00');
});
afterAll(() => estate.stop());

describe('bad input is refused before the database, by its field', () => {
  const cases: readonly [string, string, unknown, number, string, string?][] = [
    ['POST', '/reservations', '{', 400, 'body_invalid'],
    ['POST', '/reservations', '[]', 400, 'body_invalid'],
    ['POST', '/reservations', {}, 400, 'field_invalid', 'issuer_id'],
    ['POST', '/reservations', { issuer_id: ISSUER }, 400, 'field_invalid', 'notional'],
    ['POST', '/reservations', { issuer_id: ISSUER, notional: 1 }, 400, 'field_invalid', 'reservation_token'],
    ['POST', '/reservations/r%2F1/release', { issuer_id: ISSUER }, 400, 'field_invalid', 'reservation_id'],
    ['POST', '/reservations/r-1/release', {}, 400, 'field_invalid', 'issuer_id'],
    ['GET', `/issuers/${'x'.repeat(200)}`, undefined, 400, 'field_invalid', 'issuer_id'],
    ['GET', '/issuers/a%20b', undefined, 400, 'field_invalid', 'issuer_id'],
    ['GET', `/issuers/${ISSUER}/open-reservations?limit=0`, undefined, 400, 'field_invalid', 'limit'],
    ['GET', `/issuers/${ISSUER}/open-reservations?from=1`, undefined, 400, 'field_invalid', 'from'],
    ['GET', '/reservation-tokens/t?issuer=x', undefined, 400, 'field_invalid', 'issuer'],
    ['GET', '/reservation-tokens/t?issuer_id=', undefined, 400, 'field_invalid', 'issuer_id'],
    ['GET', '/nowhere', undefined, 404, 'not_found'],
    ['DELETE', '/reservations', undefined, 404, 'not_found'],
    ['POST', '/reservations', `"${'x'.repeat(20_000)}"`, 413, 'payload_too_large'],
  ];
  it.each(cases)('%s %s %j -> %i %s', async (method, path, body, status, code, field) => {
    const reply = await gateway.call(method, path, { body });
    expect(reply.status).toBe(status);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.body).toMatchObject({
      type: `urn:capstan:problem:${code.replaceAll('_', '-')}`,
      title: expect.any(String),
      detail: expect.any(String),
      instance: path.split('?')[0],
      status,
      code,
    });
    expect(reply.body.field).toBe(field);
  });

  it.each<[unknown, string]>([
    [{ limit: '1.001', reservation_token: 't' }, 'limit'],
    [{ limit: -1, reservation_token: 't' }, 'limit'],
    [{ reservation_token: 't' }, 'limit'],
    [{ limit: 1 }, 'reservation_token'],
    [{ limit: 1, reservation_token: 't', reason: '' }, 'reason'],
    [{ limit: 1, reservation_token: 't', reason: 'a\u0000b' }, 'reason'],
    [{ limit: 1, reservation_token: 't', reason: 'a\ud800b' }, 'reason'],
    [{ limit: 1, reservation_token: 't', notional: 1 }, 'notional'],
  ])('a limit of %j names %s', async (body, field) => {
    const reply = await gateway.call('PUT', '/issuers/X/limit', { body, key: estate.operatorKey });
    expect([reply.status, reply.body.code, reply.body.field]).toEqual([400, 'field_invalid', field]);
  });

  it('another media type, or no body, is refused', async () => {
    const text = await gateway.call('POST', '/reservations', {
      body: 'a=b',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect([text.status, text.body.code]).toEqual([415, 'unsupported_media_type']);
    const none = await gateway.call('POST', '/reservations');
    expect([none.status, none.body.code]).toEqual([400, 'body_invalid']);
  });
});

describe('a key', () => {
  it('is demanded, and its role decides what it may do', async () => {
    const desk = { body: { issuer_id: ISSUER, notional: 1, reservation_token: 't-role' } };
    const limit = { body: { limit: 1, reservation_token: 't-role' } };
    const settle = { body: { issuer_id: ISSUER } };
    const operator = { key: estate.operatorKey };
    const replies = await Promise.all([
      gateway.call('POST', '/reservations', { ...desk, key: 'wrong' }),
      gateway.call('GET', `/issuers/${ISSUER}`, { headers: { authorization: 'Basic x' } }),
      gateway.call('POST', '/reservations', { ...desk, ...operator }),
      gateway.call('PUT', `/issuers/${ISSUER}/limit`, limit),
      gateway.call('POST', '/reservation-tokens/t-role/settle', settle),
      gateway.call('GET', `/issuers/${ISSUER}`, operator),
      gateway.call('GET', `/issuers/${ISSUER}`),
    ]);
    expect(replies.map((reply) => [reply.status, reply.body.code])).toEqual([
      [401, 'unauthenticated'],
      [401, 'unauthenticated'],
      [403, 'forbidden'],
      [403, 'forbidden'],
      [403, 'forbidden'],
      [200, undefined],
      [200, undefined],
    ]);
    expect(replies[0]?.headers.get('www-authenticate')).toContain('Bearer');
  });

  it('works as soon as it is in the file, and no longer once it is out; a broken file changes nothing', async () => {
    const { keysFile } = estate.config.gateways['new-york'] ?? { keysFile: '' };
    const before = await readFile(keysFile, 'utf8');
    const { key, entry } = createKey({ desk: 'late', role: 'desk' });
    const status = async () => (await gateway.call('GET', `/issuers/${ISSUER}`, { key })).status;
    expect(await status()).toBe(401);
    await writeFile(keysFile, JSON.stringify([...JSON.parse(before), entry]));
    await waitUntil('the key works', async () => (await status()) === 200);
    await writeFile(keysFile, '[{');
    await writeFile(keysFile, before);
    await waitUntil('the key is refused', async () => (await status()) === 401);
    expect((await gateway.call('GET', `/issuers/${ISSUER}`)).status).toBe(200);
  });
});

describe('what a gateway says of itself', () => {
  it('lists lapsed claims and stays alive', async () => {
    await estate.putClaim({ validUntil: new Date(Date.now() - 1).toISOString() });
    await waitUntil('it knows', async () => {
      const { status, body } = await gateway.call('GET', '/healthz');
      return status === 200 && body.lapsed_claims[0]?.claim === 'lapsed';
    });
    const rpo = await gateway.call('GET', '/readyz?cluster=c1&promise=rpo');
    expect(rpo.status).toBe(503);
    expect(rpo.body.reason).toContain('lapsed');
    await waitUntil('a renewal was seen', async () => (await gateway.call('GET', '/readyz')).status === 200);
    const reply = await gateway.reserve({ reservation_token: 't-claim' });
    expect([reply.status, reply.headers.get('capstan-rpo-claim')]).toEqual([201, 'lapsed']);
  });

  it('is ready for a promise while it is kept', async () => {
    await estate.putClaim({});
    await waitUntil('it knows', async () => {
      const { status } = await gateway.call('GET', '/readyz?cluster=c1&promise=rpo');
      return status === 200;
    });
    expect((await gateway.call('GET', '/healthz')).body.lapsed_claims).toEqual([]);
    const durability = await gateway.call('GET', '/readyz?cluster=c1&promise=durability');
    expect(durability.status).toBe(503);
    expect((await gateway.call('GET', '/readyz?cluster=none')).status).toBe(404);
    expect((await gateway.call('GET', '/readyz?promise=luck')).status).toBe(400);
  });

  it('serves metrics with bounded labels', async () => {
    const { text } = await gateway.call('GET', '/metrics');
    expect(text).toMatch(/capstan_gateway_answers_total\{route="POST \/reservations",status="201"\} \d+/);
    expect(text).toMatch(/capstan_gateway_cluster_term\{cluster="c1"\} 1/);
    expect(text).not.toContain(ISSUER);
  });

  it('serves its OpenAPI document', async () => {
    const { body } = await gateway.call('GET', '/openapi.json');
    expect(body).toEqual(JSON.parse(JSON.stringify(openApiDocument(body.info.version))));
  });
});

describe('a gateway that is told to stop', () => {
  it('answers what is under way, refuses what is new, and lets go of everything', async () => {
    const stopped = await estate.gateway();
    const answers = Array.from({ length: 30 }, (_, n) =>
      stopped.reserve({ notional: '0.01', reservation_token: `stop-${n}` }),
    );
    await answers[0];
    stopped.stop();
    const settled = await Promise.allSettled(answers);
    for (const answer of settled) {
      // Connected before the stop: a decision, or a refusal that promises no effect. Else the connection was refused.
      const status = answer.status === 'fulfilled' ? answer.value.status : 503;
      expect([201, 503]).toContain(status);
    }
    await stopped.closed;
    await expect(stopped.reserve({ reservation_token: 'stop-after' })).rejects.toThrow('fetch failed');
    for (const [n, answer] of settled.entries()) {
      const decided = (await gateway.token(`stop-${n}`)).status === 200;
      // A connection that was refused, or cut before it was read, proves nothing of its command.
      const answered = answer.status === 'fulfilled' ? answer.value.status === 201 : decided;
      expect(decided).toBe(answered);
    }
  });
});
