import type { HistoryLine } from '../history/types.ts';
import { judgeAllocation } from './allocation.ts';
import { judgeAuthority } from './authority.ts';
import { Collector } from './collect.ts';
import { judgeDurability } from './durability.ts';
import type { Facts, Operation } from './facts.ts';
import { judgeLoss } from './loss.ts';
import { judgeOneOutcome } from './one-outcome.ts';
import { judgeOrder } from './order.ts';
import { judgeReads } from './reads.ts';
import { judgeRejection } from './rejection.ts';
import { judgeUnknown } from './unknown.ts';
import type { Findings, OperationCount, Verdict } from './verdict.ts';

const JUDGES: readonly ((facts: Facts) => Findings)[] = [
  judgeAllocation,
  judgeDurability,
  judgeOneOutcome,
  judgeOrder,
  judgeRejection,
  judgeUnknown,
  judgeAuthority,
  judgeReads,
  judgeLoss,
];

/**
 * Judges a history that comes line by line, in time and memory linear in its operations. Throws CapstanError
 * `history_invalid` when an answer belongs to no request.
 */
export class Checker {
  readonly #collector = new Collector();

  add(line: HistoryLine): void {
    this.#collector.add(line);
  }

  /** Once, after the last line. */
  verdict(): Verdict {
    const facts = this.#collector.finish();
    const findings = JUDGES.map((judge) => judge(facts));
    const rules = findings.map((each) => each.verdict());
    return {
      held: rules.every(({ status }) => status !== 'broken') && rules.some(({ status }) => status === 'held'),
      rules,
      violations: findings.flatMap(({ violations }) => violations),
      operations: facts.operations.length,
      counts: countsOf(facts.operations),
      spanMs: facts.spanMs,
      missingLines: facts.missingLines,
    };
  }
}

/** The same for lines at hand. */
export function check(lines: Iterable<HistoryLine>): Verdict {
  const checker = new Checker();
  for (const line of lines) checker.add(line);
  return checker.verdict();
}

function countsOf(operations: readonly Operation[]): OperationCount[] {
  const counts = new Map<string, Map<string, number>>();
  for (const { action, decision, kind } of operations) {
    const outcome = decision?.outcome ?? (kind === 'ok' ? 'shown' : kind);
    let outcomes = counts.get(action);
    if (outcomes === undefined) counts.set(action, (outcomes = new Map()));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return [...counts].flatMap(([action, outcomes]) =>
    Array.from(outcomes, ([outcome, count]) => ({ action, outcome, count })),
  );
}
