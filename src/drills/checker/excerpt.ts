import type { HistoryLine } from '../history/types.ts';
import { check } from './check.ts';
import type { Rule, Violation } from './verdict.ts';

/** So many lines are judged at most while an excerpt is made smaller: well under a second. */
const LINES_JUDGED_MAX = 200_000;

export interface Excerpt {
  readonly rule: Rule;
  readonly message: string;
  /** These lines alone break the rule. */
  readonly lines: readonly HistoryLine[];
  /** Whether each of its operations and lines is needed: without any one of them the rule is not broken. */
  readonly minimal: boolean;
}

/** The smallest part of a violation's evidence that still breaks its rule: greedy, whole operations at a time. */
export function excerptOf({ rule, message, evidence }: Violation): Excerpt {
  const budget = { left: LINES_JUDGED_MAX };
  const breaks = (units: readonly Unit[]): boolean => {
    const lines = linesOf(units);
    budget.left -= Math.max(1, lines.length);
    return check(lines).violations.some((each) => each.rule === rule);
  };
  let units = unitsOf(evidence);
  if (!breaks(units)) return { rule, message, lines: evidence, minimal: false };
  for (let size = Math.max(1, units.length >> 1); size >= 1 && budget.left > 0; size >>= 1) {
    units = withoutParts(units, { size, breaks, spent: () => budget.left <= 0 });
  }
  // A removal may have made an earlier one possible: go on until none is.
  for (let before = Infinity; units.length < before && budget.left > 0;) {
    before = units.length;
    units = withoutParts(units, { size: 1, breaks, spent: () => budget.left <= 0 });
  }
  const lines = linesOf(units);
  const found = check(lines).violations.find((each) => each.rule === rule);
  return { rule, message: found?.message ?? message, lines, minimal: budget.left > 0 };
}

/** Of the first violation of each broken rule, the one that is shown by the fewest lines; null when nothing is broken. */
export function smallestExcerpt(violations: readonly Violation[]): Excerpt | null {
  const firsts = new Map<Rule, Violation>();
  for (const violation of violations) {
    if (!firsts.has(violation.rule)) firsts.set(violation.rule, violation);
  }
  let smallest: Excerpt | null = null;
  for (const violation of firsts.values()) {
    const excerpt = excerptOf(violation);
    const isBetter =
      smallest === null ||
      (excerpt.minimal && !smallest.minimal) ||
      (excerpt.minimal === smallest.minimal && excerpt.lines.length < smallest.lines.length);
    if (isBetter) smallest = excerpt;
  }
  return smallest;
}

type Unit = readonly HistoryLine[];

const linesOf = (units: readonly Unit[]): HistoryLine[] => units.flat().toSorted((a, b) => a.i - b.i);

function withoutParts(
  units: readonly Unit[],
  options: {
    readonly size: number;
    readonly breaks: (units: readonly Unit[]) => boolean;
    readonly spent: () => boolean;
  },
): Unit[] {
  const { size, breaks, spent } = options;
  let left = [...units];
  for (let from = 0; from < left.length && !spent();) {
    const fewer = [...left.slice(0, from), ...left.slice(from + size)];
    if (fewer.length > 0 && breaks(fewer)) left = fewer;
    else from += size;
  }
  return left;
}

/** A request goes with its completion; every other line stands alone. */
function unitsOf(lines: readonly HistoryLine[]): Unit[] {
  const units: HistoryLine[][] = [];
  const pending = new Map<string, HistoryLine[]>();
  for (const line of lines) {
    if (line.kind === 'invoke') {
      const unit = [line];
      pending.set(line.process, unit);
      units.push(unit);
    } else if (line.kind === 'ok' || line.kind === 'fail' || line.kind === 'info') {
      pending.get(line.process)?.push(line);
      pending.delete(line.process);
    } else {
      units.push([line]);
    }
  }
  return units;
}
