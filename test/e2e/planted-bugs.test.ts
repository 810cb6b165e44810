import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DrillResultData } from '../../src/cli/schemas/drill.ts';
import { type CaughtByDrill, PLANTED_BUGS } from '../support/planted-bugs.ts';
import { FULL, report } from '../support/proof.ts';
import { capstan, startSandbox } from '../support/sandbox.ts';
import { build, patchedTree, simulate } from '../support/scratch-build.ts';

/** A bug may need the right moment: this many seeds are tried. */
const SEEDS = 5;
const DURATION_MS = 15_000;
const SIMULATED_SEEDS = 5_000;
const TIMEOUT_MS = 600_000;

const byDrill = PLANTED_BUGS.flatMap(({ bug, patch, caughtBy }) =>
  caughtBy.kind === 'drill' ? [[bug, patch, caughtBy] as const] : [],
);

const bySimulation = PLANTED_BUGS.flatMap(({ bug, patch, caughtBy }) =>
  caughtBy.kind === 'simulation' ? [[bug, patch, caughtBy] as const] : [],
);

// Each of these needs a build and a sandbox of its own: `npm run prove` runs them; `npm test` holds the patches to the code.
test.runIf(FULL).for(byDrill)(
  'planted: %s',
  { timeout: TIMEOUT_MS },
  async ([, patch, { drill, faults, rule }], context) => {
    const tree = await patchedTree(patch);
    try {
      await build(tree);
      const program = join(tree.folder, 'bin', 'run.js');
      const sandbox = await startSandbox([], { program });
      try {
        const run = await capstan<{ runs: readonly DrillResultData[] }>(
          ['drill', 'run', drill, '--name', sandbox.name, ...wordsOf({ faults })],
          { program, timeoutMs: TIMEOUT_MS },
        );
        expect(run.result.error).toMatchObject({ code: 'drill_violation', exit: 3 });
        const last = run.result.data.runs.at(-1);
        expect(last?.rules.filter(({ status }) => status === 'broken').map((one) => one.rule)).toContain(
          rule,
        );
        report(context, `drill ${drill}, seed ${last?.seed}: ${rule}: ${last?.excerpt?.message}`);
      } finally {
        await sandbox.down();
      }
    } finally {
      tree.remove();
    }
  },
);

test.for(bySimulation)('planted: %s', { timeout: TIMEOUT_MS }, async ([, patch, { invariant }], context) => {
  const tree = await patchedTree(patch);
  try {
    const { stdout, status } = await simulate(tree, SIMULATED_SEEDS);
    expect(status).toBe(1);
    const [said] = /^seed \d+ breaks .*$/m.exec(stdout) ?? [];
    expect(said).toContain(`breaks ${invariant}: `);
    report(context, `simulation: ${said}`);
  } finally {
    tree.remove();
  }
});

function wordsOf({ faults }: Pick<CaughtByDrill, 'faults'>): string[] {
  const words = ['--seed', '1', '--seeds', String(SEEDS), '--duration', `${DURATION_MS}ms`];
  return faults.length === 0 ? words : [...words, '--faults', faults.join(',')];
}
