import { Checker } from './checker/check.ts';
import { type Excerpt, excerptOf } from './checker/excerpt.ts';
import type { Verdict } from './checker/verdict.ts';
import { readHistoryFile } from './history/read.ts';
import { type Round, RoundReader } from './rounds.ts';

/** What a recorded history shows, and the least of it that shows the first violation. Throws `history_invalid` (exit 2). */
export async function judgeHistory(file: string): Promise<{
  readonly verdict: Verdict;
  readonly excerpt: Excerpt | null;
  readonly rounds: readonly Round[];
}> {
  const checker = new Checker();
  const reader = new RoundReader();
  await readHistoryFile(file, (line) => {
    checker.add(line);
    reader.add(line);
  });
  const verdict = checker.verdict();
  const [first] = verdict.violations;
  const rounds = reader.rounds(verdict.violations);
  return { verdict, excerpt: first === undefined ? null : excerptOf(first), rounds };
}
