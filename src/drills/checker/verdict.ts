import type { HistoryLine } from '../history/types.ts';

export const RULES = [
  'allocation',
  'durability',
  'one-outcome',
  'order',
  'rejection',
  'unknown',
  'authority',
  'reads',
  'loss',
] as const;
export type Rule = (typeof RULES)[number];

/** One way in which a history breaks a rule. */
export interface Violation {
  readonly rule: Rule;
  /** In words, for a person. */
  readonly message: string;
  /** The lines that prove it, in order; enough to see it again without the rest. */
  readonly evidence: readonly HistoryLine[];
}

export interface RuleVerdict {
  readonly rule: Rule;
  readonly status: 'held' | 'broken' | 'not judged';
  /** How many decisions, tokens or reads were held against the rule. */
  readonly judged: number;
  readonly violations: number;
  /** Why it was not judged, or what of it was not; null when all of it was. */
  readonly why: string | null;
}

export interface OperationCount {
  readonly action: string;
  /** What was reported, else `fail`, `info`, or `shown` for a read. */
  readonly outcome: string;
  readonly count: number;
}

export interface Verdict {
  /** No rule is broken and at least one was judged. */
  readonly held: boolean;
  readonly rules: readonly RuleVerdict[];
  /** At most VIOLATIONS_MAX a rule. */
  readonly violations: readonly Violation[];
  readonly operations: number;
  readonly counts: readonly OperationCount[];
  /** From the first line to the last. */
  readonly spanMs: number;
  /** Numbers that no line has: what was in those lines was not judged. */
  readonly missingLines: number;
}

/** How many violations of a rule are kept with their evidence; all are counted. */
export const VIOLATIONS_MAX = 100;

/** Where a rule puts what it finds. */
export class Findings {
  readonly rule: Rule;
  readonly violations: Violation[] = [];
  judged = 0;
  broken = 0;
  why: string | null = null;

  constructor(rule: Rule) {
    this.rule = rule;
  }

  /** `prove` is asked only while violations are kept: evidence by the thousand would cost more than the check. */
  add(message: string, prove: () => readonly HistoryLine[]): void {
    this.broken += 1;
    if (this.violations.length >= VIOLATIONS_MAX) return;
    const lines = new Map(prove().map((line) => [line.i, line]));
    const evidence = [...lines.values()].toSorted((a, b) => a.i - b.i);
    this.violations.push({ rule: this.rule, message, evidence });
  }

  verdict(): RuleVerdict {
    const { rule, judged, broken: violations, why } = this;
    const status = violations > 0 ? 'broken' : judged > 0 ? 'held' : 'not judged';
    return {
      rule,
      status,
      judged,
      violations,
      why: why ?? (status === 'not judged' ? 'nothing to judge' : null),
    };
  }
}
