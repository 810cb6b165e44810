import { describe, expect, it } from 'vitest';
import { canonicalEntry } from '../../../src/domain/log-entry.ts';
import { judgeLog, ownerAt } from '../../../src/projections/judge-log.ts';
import { lineageRow, LogModel, someCommands } from '../../support/log-model.ts';

const log = new LogModel().run(someCommands(40)).entries;
const at = (position: number, term = 1) => {
  const last = log[position - 1];
  return {
    position: String(position),
    generation: 1,
    term,
    lastEntry: last === undefined ? null : canonicalEntry(last),
  };
};
const answer = (from: number, lineage = [lineageRow(1, 1, 1)], head = log.length) => ({
  shard: 1,
  head: String(head),
  bound: String(head),
  at: null,
  previous: log[from - 1] ?? null,
  lineage,
  entries: log.slice(from),
});

describe('who decided a position', () => {
  const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 101), lineageRow(1, 3, 91), lineageRow(2, 1, 120)];

  it('is the latest authority that began at or before it, also where it took back what an earlier one had', () => {
    expect(ownerAt(lineage, 90n)?.term).toBe(1);
    expect(ownerAt(lineage, 95n)?.term).toBe(3);
    expect(ownerAt(lineage, 105n)?.term).toBe(3);
    expect(ownerAt(lineage, 120n)).toMatchObject({ generation: 2, term: 1 });
    expect(ownerAt([], 1n)).toBeUndefined();
  });
});

describe('what a source answers', () => {
  it('follows when it begins after the watermark, before it, or with nothing', () => {
    expect(judgeLog(at(10), answer(10))).toMatchObject({ kind: 'follows', repeats: 0 });
    expect(judgeLog(at(10), answer(4))).toMatchObject({ kind: 'follows', repeats: 6 });
    expect(judgeLog(at(log.length), answer(log.length))).toMatchObject({ kind: 'follows', entries: [] });
    expect(judgeLog(at(0), answer(0))).toMatchObject({ kind: 'follows', repeats: 0 });
  });

  it('is a gap when the next position is not the first', () => {
    expect(judgeLog(at(10), answer(12))).toMatchObject({ kind: 'gap' });
    const holed = { ...answer(10), entries: log.slice(10).filter((_, i) => i !== 3) };
    expect(judgeLog(at(10), holed)).toMatchObject({ kind: 'gap' });
  });

  it('is a fork when the lineage gives the watermark to another, or another decision is there', () => {
    expect(judgeLog(at(10), answer(10, [lineageRow(1, 1, 1), lineageRow(1, 2, 8)]))).toMatchObject({
      kind: 'forked',
    });
    const other = { ...at(10), lastEntry: '[]' };
    expect(judgeLog(other, answer(10))).toMatchObject({ kind: 'forked' });
    expect(judgeLog(other, answer(4))).toMatchObject({ kind: 'forked' });
  });

  it('is behind when its head is, or its lineage does not reach the watermark’s term', () => {
    expect(judgeLog(at(10), { ...answer(10), head: '9', previous: null, entries: [] })).toMatchObject({
      kind: 'behind',
    });
    expect(judgeLog(at(10, 2), answer(10))).toMatchObject({ kind: 'behind' });
  });
});
