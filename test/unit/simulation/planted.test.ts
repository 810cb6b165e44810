import { expect, test } from 'vitest';
import type { AreaName } from '../../simulation/area.ts';
import type { Invariant } from '../../simulation/violation.ts';
import { PLANTS, type Planted } from '../../simulation/planted.ts';
import { runSeed } from '../../simulation/run.ts';

interface Expected {
  readonly planted: NonNullable<Planted>;
  readonly breaks: Invariant;
  /** Default: `failover`. */
  readonly area?: AreaName;
  /** The faults that bring it out; undefined: any. */
  readonly only?: readonly string[];
  /** Where to begin to look, so that few seeds are needed. */
  readonly from: number;
}

const SEEDS_MAX = 400;
const LONG_MS = 180_000;

const EXPECTED: readonly Expected[] = [
  {
    planted: 'renews-without-the-authority',
    breaks: 'right-ends-with-authority',
    only: ['failover given up behind a sleeping leader', 'failover', 'cut from etcd'],
    from: 1,
  },
  {
    planted: 'counts-from-the-reply',
    breaks: 'right-ends-with-authority',
    only: ['failover behind a sleeping leader'],
    from: 88,
  },
  {
    planted: 'decides-without-the-term',
    breaks: 'terms-only-rise',
    only: ['failover given up'],
    from: 1,
  },
  { planted: 'answers-before-the-follower', breaks: 'confirmed-is-flushed', from: 1 },
  {
    // What came after the report was confirmed by the old leader, and isn't in the decided prefix.
    planted: 'freezes-while-receiving',
    breaks: 'nothing-confirmed-is-lost',
    only: ['failover', 'cut from etcd', 'delays'],
    from: 2604,
  },
  {
    planted: 'journals-without-the-revision',
    breaks: 'superseded-writes-nothing',
    only: ['failover', 'second coordinator', 'coordinator interrupted', 'coordinator pause'],
    from: 374,
  },
  {
    planted: 'counts-a-follower-twice',
    breaks: 'confirmed-is-flushed',
    only: ['delays', 'postgres crash', 'cut off'],
    from: 380,
  },
  {
    planted: 'believes-a-late-reply',
    breaks: 'right-ends-with-authority',
    only: ['failover', 'slow callers'],
    from: 78,
  },
  {
    planted: 'fences-past-a-pause',
    breaks: 'automatic-heeds-people',
    area: 'automatic',
    only: ['cluster paused at the fence'],
    from: 1,
  },
  {
    planted: 'fences-past-a-renewal',
    breaks: 'automatic-waits-for-a-lapse',
    area: 'automatic',
    only: ['lease renewed at the fence'],
    from: 20,
  },
  {
    planted: 'forgets-to-count',
    breaks: 'automatic-is-counted',
    area: 'automatic',
    only: ['leader gone'],
    from: 5,
  },
  {
    planted: 'gives-back-what-is-gone',
    breaks: 'terms-only-rise',
    area: 'switchover',
    only: ['switchover given back late'],
    from: 1,
  },
  {
    planted: 'forgets-the-loss',
    breaks: 'loss-is-recorded',
    area: 'regional',
    only: ['region gone'],
    from: 1,
  },
  {
    planted: 'waits-by-a-fast-clock',
    breaks: 'proof-ends-the-old-side',
    area: 'regional',
    only: ['region cut off'],
    from: 1,
  },
  {
    planted: 'counts-on-whom-it-likes',
    breaks: 'epoch-before-votes',
    area: 'membership',
    only: ['voter removed as it is recorded'],
    from: 1,
  },
  {
    planted: 'flips-before-the-followers',
    breaks: 'handed-over-is-held',
    area: 'rebalance',
    only: ['members apart', 'host gone'],
    from: 1,
  },
  {
    planted: 'opens-below-the-handover',
    breaks: 'opens-at-the-handover',
    area: 'rebalance',
    only: ['members apart', 'leader lost at the flip'],
    from: 1,
  },
  {
    planted: 'backs-out-after-the-flip',
    breaks: 'owner-changes-by-flip',
    area: 'rebalance',
    only: ['flip not answered'],
    from: 1,
  },
  {
    planted: 'unseals-without-the-phase',
    breaks: 'owner-changes-by-flip',
    area: 'rebalance',
    only: ['flip held up', 'back-out held up'],
    from: 1,
  },
  {
    planted: 'leaves-the-seal-standing',
    breaks: 'seal-ends',
    area: 'rebalance',
    only: ['coordinator lost at the seal'],
    from: 1,
  },
  {
    planted: 'flips-under-another-term',
    breaks: 'flip-under-its-terms',
    area: 'rebalance',
    only: ['failover at the flip'],
    from: 15,
  },
  {
    planted: 'wipes-by-an-old-map',
    breaks: 'wipes-nothing-owned',
    area: 'rebalance',
    only: ['second coordinator'],
    from: 1,
  },
];

test('every plant is tried', () => {
  expect(EXPECTED.map(({ planted }) => planted).toSorted()).toEqual([...PLANTS].toSorted());
});

test.each(EXPECTED)(
  '$planted breaks $breaks, and the same seed holds without it',
  async ({ planted, breaks, area, only, from }) => {
    for (let seed = from; seed < from + SEEDS_MAX; seed += 1) {
      const { violation } = await runSeed({ seed, planted, area, only });
      // Another guard may catch the plant first: nothing opens, and nothing is broken.
      if (violation === undefined || violation.invariant === 'decides-again') continue;
      expect(violation).toMatchObject({ invariant: breaks });
      const healthy = await runSeed({ seed, area, only });
      expect(healthy.violation).toBeUndefined();
      return;
    }
    throw new Error(`none of ${SEEDS_MAX} seeds caught it`);
  },
  LONG_MS,
);
