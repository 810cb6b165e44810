import { expect, test } from 'vitest';
import { classifyFailure, classifyReply } from '../../../src/drills/history/classify.ts';
import { decidedReply } from '../../../src/gateway/decided-reply.ts';
import { problemDocument } from '../../../src/gateway/problem.ts';
import type { Outcome } from '../../../src/reservations/types.ts';

const OUTCOME: Outcome = {
  outcome: 'confirmed',
  replayed: false,
  command: 'reserve',
  position: '7',
  generation: 1,
  term: 2,
  reason: null,
  reservation: 'res-1',
  notional: '1000',
  remaining: '9000',
  reserved_after: '1000',
  limit_after: '10000',
  decided_at: '2026-01-01T00:00:00Z',
};
const answered = (change: Partial<Outcome>) => {
  const { status, body } = decidedReply({ ...OUTCOME, ...change }, { shard: 2, token: 'tok-1' });
  return classifyReply({ action: 'reserve', http: status, body: JSON.parse(body) as unknown });
};

test('a decision and its replay have one digest; another decision has another', () => {
  const first = answered({});
  expect(first).toMatchObject({
    kind: 'ok',
    http: 201,
    result: {
      outcome: 'confirmed',
      position: '7',
      commit_token: 'shard2@7~1.2',
      remaining: '90.00',
      replayed: false,
    },
  });
  const digestOf = ({ result }: typeof first) => (result as { digest: string }).digest;
  expect(digestOf(answered({ replayed: true }))).toBe(digestOf(first));
  expect(digestOf(answered({ remaining: '8999' }))).not.toBe(digestOf(first));
  expect(digestOf(first)).toMatch(/^[0-9a-f]{16}$/);
});

test('a limit’s answer says what is reserved as well', () => {
  expect(answered({ command: 'set-limit' }).result).toMatchObject({
    reserved_after: '10.00',
    limit_after: '100.00',
  });
});

test.each([
  ['rejected', 409],
  ['abandoned', 409],
] as const)('%s is an outcome, whatever its status code', (outcome, http) => {
  expect(
    answered({ outcome, reason: outcome === 'rejected' ? 'insufficient_headroom' : null }),
  ).toMatchObject({
    kind: 'ok',
    http,
    result: { outcome },
  });
});

test.each([
  [
    'a refusal that promises no effect',
    503,
    problemDocument('lease_lapsed', { detail: 'x', effect: 'none' }, '/'),
    'fail',
    'lease_lapsed',
  ],
  [
    'a refusal that promises nothing',
    503,
    problemDocument('outcome_unknown', { detail: 'x' }, '/'),
    'info',
    'outcome_unknown',
  ],
  [
    'an unknown outcome',
    202,
    { status: 'unknown', reservation_token: 'tok-1', resolve: '/' },
    'info',
    'unknown',
  ],
  [
    'a reused token',
    422,
    problemDocument('token_reused', { detail: 'x', effect: 'none' }, '/'),
    'fail',
    'token_reused',
  ],
  ['no JSON at all', 502, undefined, 'info', null],
] as const)('%s', (_, http, body, kind, code) => {
  expect(classifyReply({ action: 'reserve', http, body })).toEqual({
    kind,
    result: null,
    as_of: null,
    http,
    code,
  });
});

test('a resolution has no digest, and states the head that it looked at; not found is an answer', () => {
  const evidence = { shard: 2, position: '9', generation: 1, term: 2, member: 'm1', commit_token: null };
  const found = {
    status: 'confirmed',
    commit_token: 'shard2@7~1.2',
    reservation_id: 'res-1',
    remaining: '90.00',
    evidence,
  };
  expect(classifyReply({ action: 'resolve', http: 200, body: found })).toMatchObject({
    kind: 'ok',
    result: { outcome: 'confirmed', position: '7', digest: null, replayed: null },
    as_of: { shard: 2, position: '9', term: 2, served_by: 'm1' },
  });
  const body = problemDocument('token_not_found', { detail: 'x', data: { evidence } }, '/');
  expect(classifyReply({ action: 'resolve', http: 404, body })).toMatchObject({
    kind: 'ok',
    result: { outcome: 'not_found', position: null },
    as_of: { position: '9' },
  });
});

test('a settlement’s position is the decision’s', () => {
  const body = { status: 'abandoned', commit_token: 'shard2@8~1.2', evidence: { position: '8' } };
  const settled = classifyReply({ action: 'settle', http: 200, body });
  expect(settled).toMatchObject({
    kind: 'ok',
    result: { outcome: 'abandoned', position: '8', digest: null },
    as_of: null,
  });
});

test('a read states its position; a page of several lists nothing; no such issuer is a state', () => {
  const headers = { 'capstan-generation': '1', 'capstan-term': '2', 'capstan-member': 'm1' };
  const issuer = { shard: 2, limit: '100.00', reserved: '10.00', open_count: 1, position: '7' };
  expect(classifyReply({ action: 'read-issuer', http: 200, body: issuer, headers })).toMatchObject({
    kind: 'ok',
    result: { limit: '100.00', reserved: '10.00', open_count: 1 },
    as_of: { shard: 2, position: '7', generation: 1, term: 2, staleness_ms: null, served_by: 'm1' },
  });
  const reservations = [{ reservation_id: 'res-1', notional: '10.00' }];
  const open = { shard: 2, position: '9', reservations, next_after: null };
  const listed = { action: 'read-open', http: 200, headers } as const;
  expect(classifyReply({ ...listed, body: open }).result).toMatchObject({
    open_count: 1,
    open: { 'res-1': '10.00' },
  });
  expect(classifyReply({ ...listed, body: { ...open, next_after: 'res-1' } }).result).toMatchObject({
    open: null,
  });
  expect(classifyReply({ ...listed, body: open, firstPage: false }).result).toMatchObject({ open: null });
  const absent = problemDocument('issuer_not_found', { detail: 'x' }, '/');
  expect(classifyReply({ ...listed, http: 404, body: absent })).toMatchObject({
    kind: 'ok',
    code: 'issuer_not_found',
  });
});

test('without an answer anything may have happened', () => {
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  expect(classifyFailure(reset)).toMatchObject({ kind: 'info', code: 'ECONNRESET', http: null });
  expect(classifyFailure('gone')).toMatchObject({ kind: 'info', code: 'error' });
});
