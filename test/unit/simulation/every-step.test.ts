import { expect, test } from 'vitest';
import { AREAS } from '../../simulation/area.ts';
import { stepFaultText } from '../../simulation/step-faults.ts';
import { everyStep, someSteps } from '../../simulation/steps.ts';
import { FULL, report, sized } from '../../support/proof.ts';

const SEEDS = sized({ full: 20, quick: 1 });
const LONG_MS = sized({ full: 3_600_000, quick: 120_000 });

test.for(AREAS.map((area, index) => ({ area, first: index + 1 })))(
  '$area: whatever happens at any write of its operation, it ends and nothing is broken',
  { timeout: LONG_MS },
  async ({ area, first }, context) => {
    let runs = 0;
    let struck = 0;
    for (let seed = first; seed < first + SEEDS; seed += 1) {
      const steps = FULL ? everyStep({ seed, area }) : someSteps({ seed, area });
      for await (const { fault, result } of steps) {
        expect(
          result.violation,
          `npm run simulate -- --area ${area} --seed ${seed} --at ${stepFaultText(fault)} --trace`,
        ).toBeUndefined();
        runs += 1;
        if (result.struck) struck += 1;
      }
    }
    expect(struck).toBeGreaterThan(runs / 3);
    report(context, `${runs} runs of ${SEEDS} seeds, ${struck} struck at a write`);
  },
);
