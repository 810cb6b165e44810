import { expect, test } from 'vitest';
import { chunksOf, consolidate } from '../../../src/controlplane/loss/report.ts';
import type { LossMember } from '../../../src/domain/loss-records.ts';
import { lossRecord, lostDecision } from '../../support/losses.ts';

const member = (state: LossMember['state']): LossMember => ({
  state,
  incarnation: null,
  found: null,
  waived: state === 'waived' ? { by: 'x', reason: 'y', at: '' } : null,
});
const read = lossRecord({ members: { a: member('salvaged'), b: member('salvaged') } });

test('each decision is named once, held by whoever held it, in the order of the log', () => {
  const both = lostDecision({ position: '8', token: 'tok-8' });
  const later = lostDecision({ position: '10', token: 'tok-10' });
  const entries = consolidate(
    read,
    new Map([
      ['a', [both, later]],
      ['b', [{ ...both, heldBy: ['b'], maybeAcknowledged: true }]],
    ]),
  );
  expect(
    entries.map(({ token, heldBy, maybeAcknowledged }) => ({ token, heldBy, maybeAcknowledged })),
  ).toEqual([
    { token: 'tok-8', heldBy: ['a', 'b'], maybeAcknowledged: true },
    { token: 'tok-10', heldBy: ['a'], maybeAcknowledged: false },
  ]);
});

test('two members that hold different decisions at one position are both believed', () => {
  const entries = consolidate(
    read,
    new Map([
      ['a', [lostDecision({ token: 'tok-a' })]],
      ['b', [lostDecision({ token: 'tok-b', heldBy: ['b'] })]],
    ]),
  );
  expect(entries.map(({ token }) => token).toSorted()).toEqual(['tok-a', 'tok-b']);
});

test('what a voter might have held whose data was never read may have been told', () => {
  const waived = lossRecord({ members: { a: member('salvaged'), b: member('waived') } });
  const [entry] = consolidate(waived, new Map([['a', [lostDecision()]]]));
  expect(entry?.maybeAcknowledged).toBe(true);
});

test('the same entries make the same chunks', () => {
  const entries = Array.from({ length: 600 }, (_, index) => lostDecision({ position: String(index) }));
  const chunks = chunksOf('p/', entries);
  expect(chunks.map(([key]) => key)).toEqual(['p/000000', 'p/000001', 'p/000002']);
  expect(chunks.flatMap(([, { entries: own }]) => own)).toEqual(entries);
  expect(chunksOf('p/', entries)).toEqual(chunks);
  expect(chunksOf('p/', [])).toEqual([]);
});
