import { expect, test } from 'vitest';
import type { DecisionResult, HistoryEntry } from '../../../src/drills/history/types.ts';
import { Tally } from '../../../src/drills/tally.ts';

const request = (token: string, action: 'reserve' | 'release' | 'resolve' = 'reserve') => ({
  process: 'p',
  action,
  issuer: 'MUNI-77',
  token,
  via: 'gateway',
});
const none = { as_of: null, http: null, code: null } as const;
const decided = (outcome: 'confirmed' | 'rejected' | 'not_found'): DecisionResult => ({
  outcome,
  reason: null,
  position: '1',
  commit_token: null,
  reservation: null,
  remaining: null,
  reserved_after: null,
  limit_after: null,
  replayed: null,
  digest: null,
});

function tallied(entries: readonly HistoryEntry[]) {
  const seen: HistoryEntry[] = [];
  const tally = new Tally({ now: () => 0, record: (entry) => seen.push(entry) });
  for (const entry of entries) tally.record(entry);
  expect(seen).toEqual(entries);
  return tally;
}

test('a token is counted once, however often it is asked for', () => {
  const { scale } = tallied([
    { kind: 'invoke', ...request('a') },
    { kind: 'ok', ...request('a'), ...none, result: decided('confirmed') },
    { kind: 'invoke', ...request('a') },
    { kind: 'ok', ...request('a'), ...none, result: decided('confirmed') },
    { kind: 'invoke', ...request('b') },
    { kind: 'ok', ...request('b'), ...none, result: decided('rejected') },
  ]);
  expect(scale).toMatchObject({ operations: 3, confirmed: 1, rejected: 1, shareRejected: 0.5 });
});

test('a token is open from an answer that says nothing until one that says what became of it', () => {
  const open = [{ kind: 'info', ...request('a'), ...none, result: null }] as const;
  expect(tallied(open).openTokens).toEqual([{ issuer: 'MUNI-77', token: 'a' }]);
  expect(tallied(open).scale.unknown).toBe(1);
  const refused = { kind: 'fail', ...request('a'), ...none, result: null } as const;
  expect(tallied([...open, refused]).openTokens).toHaveLength(1);
  const resolved = { kind: 'ok', ...request('a', 'resolve'), ...none, result: decided('rejected') } as const;
  expect(tallied([...open, resolved]).openTokens).toEqual([]);
  // It may have been on its way still: it is asked for once more when nothing is.
  const early = { ...resolved, result: decided('not_found') } as const;
  expect(tallied([...open, early]).openTokens).toHaveLength(1);
});

test('nothing decided has no share of rejections', () => {
  expect(tallied([]).scale.shareRejected).toBeNull();
});
