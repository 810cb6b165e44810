import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  applyChanges,
  diffOwners,
  inverseOf,
  type OwnerMap,
  ownersAt,
  spreadShards,
} from '../../../src/controlplane/map-diff.ts';
import type { MapChangeRecord } from '../../../src/domain/records.ts';

const owner = fc.record({
  cluster: fc.constantFrom('c1', 'c2', 'c3'),
  generation: fc.integer({ min: 1, max: 9 }),
});
const owners = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 20 }), owner))
  .map((entries): OwnerMap => new Map(entries));
/** Maps that have the same shards, as all versions of one estate do. */
const versions = fc
  .integer({ min: 1, max: 8 })
  .chain((shards) =>
    fc.array(fc.array(owner, { minLength: shards, maxLength: shards }), { minLength: 1, maxLength: 8 }),
  )
  .map((all) => all.map((each): OwnerMap => new Map(each.entries())));

test('applying the difference of two maps to the first gives the second', () => {
  fc.assert(
    fc.property(owners, owners, (a, b) => {
      expect(applyChanges(a, diffOwners(a, b))).toEqual(b);
    }),
  );
});

test('undoing a change gives the map before it', () => {
  fc.assert(
    fc.property(owners, owners, (a, b) => {
      expect(applyChanges(b, inverseOf(diffOwners(a, b)))).toEqual(a);
    }),
  );
});

test('differences compose: by way of any third map the end is the same', () => {
  fc.assert(
    fc.property(owners, owners, owners, (a, b, c) => {
      expect(applyChanges(applyChanges(a, diffOwners(a, b)), diffOwners(b, c))).toEqual(
        applyChanges(a, diffOwners(a, c)),
      );
    }),
  );
});

test('every older version is found by undoing the history from the newest', () => {
  fc.assert(
    fc.property(versions, fc.nat(), (maps, pick) => {
      const history = maps.slice(1).map((after, index): MapChangeRecord => ({
        version: index + 2,
        at: '',
        actor: '',
        reason: '',
        operation: null,
        changes: diffOwners(maps[index] ?? new Map(), after).flatMap(({ shard, from, to }) =>
          to === null ? [] : [{ shard, from, to }],
        ),
      }));
      const version = (pick % maps.length) + 1;
      const current = maps.at(-1) ?? new Map();
      const found = ownersAt({
        current,
        currentVersion: maps.length,
        history: history.toReversed(),
        version,
      });
      expect(found).toEqual(maps[version - 1]);
    }),
  );
});

test('a change that does not start from what is there is refused', () => {
  const change = { shard: 1, from: { cluster: 'c1', generation: 1 }, to: { cluster: 'c2', generation: 2 } };
  expect(() => applyChanges(new Map([[1, { cluster: 'c1', generation: 2 }]]), [change])).toThrow(/history/);
});

test('a history with a gap is refused', () => {
  expect(() => ownersAt({ current: new Map(), currentVersion: 3, history: [], version: 1 })).toThrow(
    /no version 3/,
  );
});

test('shards are spread over the clusters in name order: shard 184 of 480 on c1', () => {
  const spread = spreadShards(480, ['c2', 'c1']);
  expect(spread.get(184)).toEqual({ cluster: 'c1', generation: 1 });
  expect(spread.get(185)).toEqual({ cluster: 'c2', generation: 1 });
});
