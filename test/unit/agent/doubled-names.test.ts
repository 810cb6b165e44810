import { expect, test } from 'vitest';
import { DoubledNames } from '../../../src/agent/doubled-names.ts';
import type { Walsender } from '../../../src/agent/sync-set.ts';

const row = (name: string, replyMark: string | null): Walsender => ({
  name,
  state: 'streaming',
  syncState: 'quorum',
  syncPriority: 1,
  flushedLsn: '0/1',
  replayedLsn: '0/1',
  replyMark,
});
/** The answers at each look: `pid/time`, for connections of one name. */
const looks = (...marks: readonly (readonly (string | null)[])[]) => {
  const doubled = new DoubledNames();
  return marks.map((each) => doubled.look(each.map((mark) => row('b_bbbb', mark))).length > 0);
};

test('two connections that go on answering are noticed', () => {
  expect(looks(['1/1', '2/1'], ['1/2', '2/2'], ['1/3', '2/3'])).toEqual([false, false, true]);
});

test('a connection that was replaced, and answers no more, is no reason', () => {
  expect(looks(['1/1'], ['1/1', '2/1'], ['1/1', '2/2'], ['1/1', '2/3'], ['1/1', '2/4'])).not.toContain(true);
});

test('nor is its last answer, which was still on its way', () => {
  expect(looks(['1/1', '2/1'], ['1/2', '2/2'], ['1/2', '2/3'], ['1/2', '2/4'])).not.toContain(true);
});

test('a connection that has not answered yet is no second one', () => {
  expect(looks(['1/1', null], ['1/2', null], ['1/3', null])).not.toContain(true);
});

test('one that has gone takes the suspicion along; another one begins anew', () => {
  expect(
    looks(
      ['1/1', '2/1'],
      ['1/2', '2/2'],
      ['1/3', '2/3'],
      ['1/4'],
      ['1/5', '3/5'],
      ['1/6', '3/6'],
      ['1/7', '3/7'],
    ),
  ).toEqual([false, false, true, false, false, false, true]);
});

test('other names are other followers', () => {
  const doubled = new DoubledNames();
  for (const time of [1, 2, 3, 4])
    expect(doubled.look([row('a_aaaa', `1/${time}`), row('b_bbbb', `2/${time}`)])).toEqual([]);
});
