import { expect, test } from 'vitest';
import { runSeed } from '../../simulation/run.ts';
import { report, sized } from '../../support/proof.ts';

const SEEDS = sized({ full: 20_000, quick: 150 });
const LONG_MS = sized({ full: 3_600_000, quick: 120_000 });

test(
  'no seed breaks an invariant, and after the healing each cluster decides again',
  async (context) => {
    const sums = { events: 0, failovers: 0, told: 0, faults: 0, lost: 0 };
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violation, events, counts } = await runSeed({ seed });
      expect(violation, `npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
      sums.events += events;
      sums.failovers += counts.failovers;
      sums.told += counts.told;
      sums.lost += counts.lostReplies + counts.lostRequests;
      for (const times of counts.faults.values()) sums.faults += times;
    }
    // A world in which nothing happens would hold everything.
    expect(sums.failovers).toBeGreaterThan(SEEDS / 10);
    expect(sums.told).toBeGreaterThan(SEEDS * 10);
    report(
      context,
      `${SEEDS} seeds, ${sums.events} events, ${sums.faults} faults, ${sums.failovers} failovers, ${sums.told} outcomes told`,
    );
  },
  LONG_MS,
);
