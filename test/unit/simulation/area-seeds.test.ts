import { expect, test } from 'vitest';
import type { AreaName } from '../../simulation/area.ts';
import { runSeed } from '../../simulation/run.ts';
import type { Counts } from '../../simulation/world-options.ts';
import { FULL, report, sized } from '../../support/proof.ts';

const SEEDS = sized({ full: 5_000, quick: 25 });
const LONG_MS = sized({ full: 3_600_000, quick: 120_000 });

/** With what must come to its end now and then: a world in which nothing happens would hold everything. */
const KINDS: readonly {
  readonly area: AreaName;
  readonly ended: keyof Counts;
  readonly seeds?: number;
}[] = [
  { area: 'automatic', ended: 'failovers' },
  { area: 'switchover', ended: 'switchovers' },
  { area: 'regional', ended: 'failovers' },
  { area: 'membership', ended: 'memberships', seeds: FULL ? SEEDS : 6 },
  { area: 'rebalance', ended: 'flips', seeds: FULL ? 2_000 : 3 },
];

test.for(KINDS)(
  '$area: no seed breaks an invariant, and every operation ends',
  { timeout: LONG_MS },
  async ({ area, ended, seeds = SEEDS }, context) => {
    const sums = { events: 0, ended: 0, told: 0, faults: 0 };
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { violation, events, counts } = await runSeed({ seed, area });
      expect(violation, `npm run simulate -- --area ${area} --seed ${seed} --trace`).toBeUndefined();
      sums.events += events;
      sums.ended += Number(counts[ended]);
      sums.told += counts.told;
      for (const times of counts.faults.values()) sums.faults += times;
    }
    expect(sums.ended).toBeGreaterThan(seeds / 10);
    expect(sums.told).toBeGreaterThan(seeds * 10);
    report(
      context,
      `${seeds} seeds, ${sums.events} events, ${sums.faults} faults, ${sums.ended} ${ended}, ${sums.told} outcomes told`,
    );
  },
);
