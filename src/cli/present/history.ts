import { CapstanError, ExitCode, usageError } from '../../domain/errors.ts';
import type { Excerpt } from '../../drills/checker/excerpt.ts';
import type { RuleVerdict, Verdict } from '../../drills/checker/verdict.ts';
import { facts, table, text, type Column, type Section } from '../render/section.ts';
import type { HistoryVerdictData } from '../schemas/history.ts';

export const historyData = (verdict: Verdict, excerpt: Excerpt | null): HistoryVerdictData => ({
  held: verdict.held,
  rules: verdict.rules.map((rule) => ({ ...rule })),
  violations: verdict.violations.map(({ rule, message, evidence }) => ({
    rule,
    message,
    lines: evidence.map(({ i }) => i),
  })),
  excerpt: excerpt === null ? null : { ...excerpt, lines: excerpt.lines.map((line) => ({ ...line })) },
  operations: verdict.operations,
  counts: verdict.counts.map((count) => ({ ...count })),
  spanMs: verdict.spanMs,
  missingLines: verdict.missingLines,
});

/**
 * A broken rule (exit 3); undefined when every rule that could be judged held. Throws `history_empty` when none could: that
 * is no verdict.
 */
export function historyError(verdict: Verdict): CapstanError | undefined {
  const { held, rules, operations } = verdict;
  const broken = rules.filter(({ status }) => status === 'broken').map(({ rule }) => rule);
  if (broken.length > 0) {
    return new CapstanError(`the history breaks ${broken.join(', ')}`, {
      code: 'history_violation',
      exit: ExitCode.notReady,
      next: 'the excerpt alone shows it; -o json has every violation with its lines',
      data: { rules: broken },
    });
  }
  if (held && operations > 0) return undefined;
  throw usageError(
    operations === 0 ? 'the history has no request in it' : 'nothing in the history can be judged',
    { code: 'history_empty', next: 'record requests with their answers; capstan history check --help' },
  );
}

export const historyWarnings = ({ missingLines }: Verdict): string[] =>
  missingLines === 0 ? [] : [`${missingLines} numbers have no line: what was in those lines was not judged`];

const RULE_COLUMNS: readonly Column<RuleVerdict>[] = [
  { header: 'RULE', value: ({ rule }) => rule },
  { header: 'STATUS', value: ({ status }) => status },
  { header: 'JUDGED', value: ({ judged }) => judged, align: 'right' },
  { header: 'VIOLATIONS', value: ({ violations }) => violations, align: 'right' },
  { header: 'WHY', value: ({ why }) => why, shrink: true },
];

export function historySections(verdict: Verdict, excerpt: Excerpt | null): Section[] {
  const { rules, operations, counts, spanMs } = verdict;
  return [
    table({ columns: RULE_COLUMNS, rows: rules }),
    facts([
      ['requests', `${operations} in ${Math.round(spanMs)} ms`],
      ...Array.from(
        Map.groupBy(counts, ({ action }) => action),
        ([action, outcomes]): [string, string] => [
          action,
          outcomes.map(({ outcome, count }) => `${count} ${outcome}`).join(', '),
        ],
      ),
    ]),
    ...(excerpt === null ? [] : [text(excerptText(excerpt))]),
  ];
}

function excerptText({ rule, message, lines, minimal }: Excerpt): string {
  const what = minimal ? 'the fewest lines that break it' : 'lines that show it';
  return [`${rule}: ${message}`, `${what}:`, ...lines.map((line) => JSON.stringify(line))].join('\n');
}
