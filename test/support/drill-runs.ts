/** `capstan drill run` as tests want it: runs that broke nothing, or what the command said. */
import { expect } from 'vitest';
import type { DrillResultData } from '../../src/cli/schemas/drill.ts';
import { capstan } from './sandbox.ts';

/** Throws unless every run of the drill on that sandbox came to an end without a violation. */
export async function drillRuns(
  drill: string,
  { sandbox, words, timeoutMs }: { sandbox: string; words: readonly string[]; timeoutMs: number },
): Promise<readonly DrillResultData[]> {
  const { status, stderr, result } = await capstan<{ runs: readonly DrillResultData[] }>(
    ['drill', 'run', drill, '--name', sandbox, ...words],
    { timeoutMs },
  );
  const { runs } = result.data ?? { runs: [] };
  const violations = runs.flatMap((one) => one.violations);
  const told = status === 0 ? '' : stderr;
  expect({ status, error: result.error, violations, told }).toEqual({
    status: 0,
    error: null,
    violations: [],
    told: '',
  });
  return runs;
}
