import { expect, test } from 'vitest';
import type { HistoryEntry, HistoryLine } from '../../../src/drills/history/types.ts';
import { outagesOf, RoundReader } from '../../../src/drills/rounds.ts';
import { at, does, head, history, info, reserve } from '../../support/history-lines.ts';

const fault = (phase: 'began' | 'healed' | 'failed', about: Partial<HistoryEntry> = {}): HistoryEntry => ({
  kind: 'fault',
  phase,
  fault: 'kill-leader-failover',
  target: 'm1',
  detail: {},
  ...(about as object),
});

const roundsOf = (lines: readonly HistoryLine[]) => {
  const reader = new RoundReader();
  for (const line of lines) reader.add(line);
  return reader.rounds([]);
};

test('an outage lasts from the fault to the first new decision under the next term, whoever was answered anything else meanwhile', () => {
  const [round] = roundsOf(
    history(
      does('a', reserve('x', '1.00'), at(2, { replayed: false })),
      { at: 1_000 },
      fault('began', {
        detail: { cluster: 'c1', successor: 'm2', new_term: 2, down_t: 500, told: 'by hand' },
      }),
      does('b', reserve('y', '1.00'), info),
      does('c', reserve('x', '1.00'), at(2, { replayed: true, term: 2 })),
      { at: 1_700 },
      does('d', reserve('z', '1.00'), at(3, { replayed: false, term: 2 })),
      fault('healed'),
      head(3),
    ),
  );
  expect(round).toEqual({
    fault: 'kill-leader-failover',
    target: 'm1',
    cluster: 'c1',
    successor: 'm2',
    outageMs: 1_210,
    errors: 1,
    told: 'by hand',
    carriedOut: true,
    broken: [],
  });
});

test('a fault that found nothing to act on, or that was not healed, is a round that was not carried out', () => {
  const rounds = roundsOf(
    history(
      fault('failed', { target: 'none', detail: { reason: 'no cluster is open' } }),
      fault('began'),
      fault('failed', { detail: { reason: 'm1 is back and is not quarantined' } }),
    ),
  );
  expect(rounds.map(({ target, carriedOut, told }) => [target, carriedOut, told])).toEqual([
    ['none', false, 'no cluster is open'],
    ['m1', false, 'm1 is back and is not quarantined'],
  ]);
  expect(outagesOf(rounds)).toBeNull();
});

test('what breaks a rule is told of the round in which it was seen', () => {
  const lines = history(
    fault('began'),
    does('a', reserve('x', '1.00'), at(2)),
    fault('healed'),
    fault('began'),
    does('b', reserve('y', '1.00'), at(2)),
    fault('healed'),
    head(2),
  );
  const reader = new RoundReader();
  for (const line of lines) reader.add(line);
  const rounds = reader.rounds([{ rule: 'order', message: 'twice', evidence: lines }]);
  expect(rounds.map(({ broken }) => broken)).toEqual([[], ['order']]);
});

test('the median of outages is one that was measured, and no later than the middle', () => {
  const rounds = [4, 1, 3, 2].map((outageMs) => ({
    fault: 'f',
    target: 'm',
    cluster: 'c1',
    successor: 'n',
    outageMs,
    errors: 0,
    told: null,
    carriedOut: true,
    broken: [],
  }));
  expect(outagesOf(rounds)).toEqual({ measured: 4, medianMs: 2, worstMs: 4 });
});
