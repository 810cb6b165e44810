import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readReleaseRequest, readReserveRequest } from '../../../src/gateway/hot-requests.ts';
import { parseJsonBody } from '../../../src/gateway/json-body.ts';
import { ProblemError } from '../../../src/gateway/problem.ts';
import { releaseRequest, reserveRequest } from '../../../src/gateway/schemas.ts';

const good = { issuer_id: 'MUNI-77', notional: '10.50', reservation_token: 'tok-77' };
const fieldOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    if (error instanceof ProblemError) return error.details.field ?? error.code;
    throw error;
  }
  return undefined;
};

describe('a reservation request', () => {
  it.each<[string, unknown, string]>([
    ['no issuer', { ...good, issuer_id: undefined }, 'issuer_id'],
    ['an issuer with a space', { ...good, issuer_id: 'MUNI 77' }, 'issuer_id'],
    ['an issuer of 129 characters', { ...good, issuer_id: 'a'.repeat(129) }, 'issuer_id'],
    ['an issuer that is a number', { ...good, issuer_id: 77 }, 'issuer_id'],
    ['no notional', { ...good, notional: undefined }, 'notional'],
    ['a notional of zero', { ...good, notional: 0 }, 'notional'],
    ['a notional of zero as text', { ...good, notional: '0.00' }, 'notional'],
    ['a negative notional', { ...good, notional: -1 }, 'notional'],
    ['three places', { ...good, notional: '1.001' }, 'notional'],
    ['three places as a number', { ...good, notional: 1.001 }, 'notional'],
    ['an exponent in text', { ...good, notional: '1e3' }, 'notional'],
    ['more than 10^15', { ...good, notional: '1000000000000000.01' }, 'notional'],
    ['a number beyond 2^53 cents', { ...good, notional: 90_071_992_547_410 }, 'notional'],
    ['a notional of null', { ...good, notional: null }, 'notional'],
    ['no token', { ...good, reservation_token: undefined }, 'reservation_token'],
    ['an empty token', { ...good, reservation_token: '' }, 'reservation_token'],
    ['a reservation id with a slash', { ...good, reservation_id: 'a/b' }, 'reservation_id'],
    ['a reservation id of null', { ...good, reservation_id: null }, 'reservation_id'],
    ['a field that is not known', { ...good, amount: 1 }, 'amount'],
  ])('with %s is refused by the field', (_what, body, field) => {
    expect(fieldOf(() => readReserveRequest(body as Record<string, unknown>, undefined))).toBe(field);
  });

  it.each<[unknown, bigint]>([
    [0.1, 10n],
    ['0.1', 10n],
    [1e3, 100_000n],
    ['1000000000000000', 10n ** 17n],
    [90_071_992_547_409, 9_007_199_254_740_900n],
  ])('reads a notional of %j exactly', (notional, cents) => {
    expect(readReserveRequest({ ...good, notional }, undefined).notional).toBe(cents);
  });

  it('takes its token from Idempotency-Key, quoted or not, and refuses two that differ', () => {
    const { reservation_token: _token, ...bare } = good;
    expect(readReserveRequest(bare, 'tok-9').token).toBe('tok-9');
    expect(readReserveRequest(bare, '"tok-9"').token).toBe('tok-9');
    expect(readReserveRequest(good, 'tok-77').token).toBe('tok-77');
    expect(fieldOf(() => readReserveRequest(good, 'tok-78'))).toBe('reservation_token');
    expect(fieldOf(() => readReserveRequest(good, 'a b'))).toBe('Idempotency-Key');
  });

  it('refuses a number whose digits a double would lose', () => {
    for (const literal of ['1.0000000000000000001', '9007199254740993', '0.10000000000000000001']) {
      const body = parseJsonBody(`{"issuer_id":"A","reservation_token":"t","notional":${literal}}`);
      expect(fieldOf(() => readReserveRequest(body, undefined))).toBe('notional');
    }
    const padded = parseJsonBody('{"issuer_id":"A","reservation_token":"t","notional":1.50000000000000000}');
    expect(readReserveRequest(padded, undefined).notional).toBe(150n);
  });

  it('refuses what is not a JSON object', () => {
    for (const text of ['', '[]', '1', 'null', '{', '"x"']) {
      expect(fieldOf(() => parseJsonBody(text))).toBe('body_invalid');
    }
    const polluted = parseJsonBody('{"__proto__":{"notional":1},"issuer_id":"A","reservation_token":"t"}');
    expect(fieldOf(() => readReserveRequest(polluted, undefined))).toBe('__proto__');
  });

  it('is judged by the hand-written checks as by the schema in the OpenAPI document', () => {
    const id = fc.oneof(fc.constantFrom('MUNI-77', 'a', '', 'a b', '-x'), fc.string({ maxLength: 5 }));
    const anything = fc.oneof(id, fc.constantFrom(null, 5, true, {}, []));
    const notional = fc.oneof(fc.constantFrom('1', '0.5', '01', '1.', '.5', '1.234', null), fc.integer());
    const body = fc.record(
      { issuer_id: anything, notional, reservation_token: anything, reservation_id: anything, extra: id },
      { requiredKeys: ['reservation_token'] },
    );
    fc.assert(
      fc.property(body, (candidate) => {
        const byHand = fieldOf(() => readReserveRequest(candidate, undefined)) === undefined;
        const bySchema = reserveRequest.safeParse(candidate).success;
        // The schema can't say "more than zero" of a text and a number at once.
        expect(byHand).toBe(bySchema && Number(candidate.notional) > 0);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a release request', () => {
  it.each<[string, unknown, unknown, string]>([
    ['a bad reservation id', 'a b', { issuer_id: 'A', reservation_token: 't' }, 'reservation_id'],
    ['no issuer', 'r-1', { reservation_token: 't' }, 'issuer_id'],
    ['no token', 'r-1', { issuer_id: 'A' }, 'reservation_token'],
    ['another field', 'r-1', { issuer_id: 'A', reservation_token: 't', notional: 1 }, 'notional'],
  ])('with %s is refused by the field', (_what, id, body, field) => {
    expect(fieldOf(() => readReleaseRequest(id, body as Record<string, unknown>, undefined))).toBe(field);
  });

  it('that the checks take is one that the schema takes', () => {
    const body = { issuer_id: 'MUNI-77', reservation_token: 'tok-1' };
    expect(readReleaseRequest('r-1', body, undefined)).toEqual({
      issuer: 'MUNI-77',
      token: 'tok-1',
      reservation: 'r-1',
    });
    expect(releaseRequest.safeParse(body).success).toBe(true);
  });
});
