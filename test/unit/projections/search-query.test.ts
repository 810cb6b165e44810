import { describe, expect, it } from 'vitest';
import { formatPage, pageUnder, parsePage } from '../../../src/projections/page-token.ts';
import { likeText, searchTerms, tsQueryText } from '../../../src/projections/search-query.ts';

describe('a free text', () => {
  it('is split as the words of a decision are, into ten at most', () => {
    expect(searchTerms(' MUNI-77  tok_1/2 ')).toEqual(['MUNI', '77', 'tok', '1', '2']);
    expect(searchTerms('a '.repeat(50))).toHaveLength(10);
    expect(searchTerms(' - ')).toEqual([]);
  });

  it('can not become another query or pattern than its words', () => {
    expect(tsQueryText("o'hara & !x")).toBe("'o''hara':* & '&':* & '!x':*");
    expect(tsQueryText('back\\slash')).toBe("'back\\\\slash':*");
    expect(tsQueryText('..')).toBeUndefined();
    expect(likeText('50%_\\')).toBe('50\\%\\_\\\\');
  });
});

const facts = (position: string, rebuilds = 0) => [
  {
    shard: 7,
    position,
    generation: 1,
    term: 1,
    decidedAt: null,
    state: 'live' as const,
    stateReason: null,
    cluster: 'c1',
    rebuilds,
    asOf: null,
    paused: false,
  },
];

describe('a page', () => {
  const first = pageUnder(facts('10'), undefined);

  it('carries the watermarks that it began under', () => {
    const page = parsePage({ q: 1 }, formatPage({ q: 1 }, { ...first, after: ['x', 3] }));
    expect(page).toEqual({ positions: new Map([[7, '10']]), rebuilds: 0, after: ['x', 3] });
    expect(pageUnder(facts('25'), page)).toBe(page);
  });

  it('of another query, or none at all, is refused', () => {
    const text = formatPage({ q: 1 }, first);
    expect(() => parsePage({ q: 2 }, text)).toThrow('another query');
    for (const wrong of ['', 'nonsense', text.slice(2)])
      expect(() => parsePage({ q: 1 }, wrong)).toThrow('page');
  });

  it('is outdated once its shard was rebuilt or has lost positions', () => {
    expect(() => pageUnder(facts('25', 1), first)).toThrow('rebuilt');
    expect(() => pageUnder(facts('9'), first)).toThrow('rebuilt');
    expect(() => pageUnder([], first)).toThrow('rebuilt');
  });

  it('of 480 shards fits in an address', () => {
    const positions = new Map(
      Array.from({ length: 480 }, (_, shard) => [shard, String(1_000_000 + shard * 7_919)]),
    );
    expect(
      formatPage({}, { positions, rebuilds: 3, after: ['words', '2026-11-30T09:00:00Z', 1, '2'] }).length,
    ).toBeLessThan(4_000);
  });
});
