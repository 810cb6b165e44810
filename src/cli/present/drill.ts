import { formatDurationMs } from '../../domain/duration.ts';
import { CapstanError, ExitCode, refusedError } from '../../domain/errors.ts';
import type { RuleVerdict } from '../../drills/checker/verdict.ts';
import { type DrillResult, standingOf } from '../../drills/result.ts';
import { outagesOf, type Round } from '../../drills/rounds.ts';
import type { CiCase, CiReport } from '../render/ci.ts';
import { facts, table, text, type Column, type Section } from '../render/section.ts';
import type { DrillResultData } from '../schemas/drill.ts';

export const drillData = (result: DrillResult): DrillResultData => ({
  id: result.id,
  drill: result.drill,
  promise: result.promise,
  invariants: [...result.invariants],
  seed: result.seed,
  version: result.version,
  sandbox: result.sandbox,
  options: { ...result.options, faults: [...result.options.faults] },
  startedAt: result.startedAt,
  tookMs: result.tookMs,
  scale: result.scale,
  rounds: (result.rounds ?? []).map((round) => ({ ...round, broken: [...round.broken] })),
  outages: outagesOf(result.rounds ?? []),
  held: standingOf(result) === 'held',
  rules: result.verdict.rules.map(({ rule, status, judged, violations, why }) => ({
    rule,
    status,
    judged,
    violations,
    why,
  })),
  violations: result.verdict.violations.map(({ rule, message, evidence }) => ({
    rule,
    message,
    lines: evidence.map(({ i }) => i),
  })),
  history: result.history,
  excerpt:
    result.excerpt === null
      ? null
      : { ...result.excerpt, lines: result.excerpt.lines.map((line) => ({ ...line })) },
});

/** Whether there are runs, and every one of them held. */
export const allHeld = (runs: readonly DrillResult[]): boolean =>
  runs.length > 0 && runs.every((run) => standingOf(run) === 'held');

/**
 * A promise was broken (exit 3), a run shows nothing (exit 5), or nothing was run at all (exit 4); undefined when every run
 * held.
 */
export function drillError(runs: readonly DrillResult[]): CapstanError | undefined {
  if (runs.length === 0) {
    return refusedError('no drill has been run', {
      code: 'drill_run_not_found',
      next: 'capstan drill run races',
    });
  }
  const broken = runs.find((run) => standingOf(run) === 'broken');
  if (broken !== undefined) {
    const rules = broken.verdict.rules.filter(({ status }) => status === 'broken');
    return new CapstanError(
      `${broken.drill} with seed ${broken.seed} broke ${rules.map(({ rule }) => rule).join(', ')}`,
      {
        code: 'drill_violation',
        exit: ExitCode.notReady,
        next: `capstan drill report ${broken.id}`,
        data: { id: broken.id, seed: broken.seed, rules: rules.map(({ rule }) => rule) },
      },
    );
  }
  const empty = runs.find((run) => standingOf(run) === 'inconclusive');
  if (empty === undefined) return undefined;
  const why = empty.verdict.held ? 'none of its faults took hold' : 'nothing of it could be judged';
  return new CapstanError(`${empty.drill} with seed ${empty.seed} shows nothing: ${why}`, {
    code: 'drill_unfinished',
    exit: ExitCode.unknown,
    next: `capstan drill report ${empty.id}`,
    data: { id: empty.id, seed: empty.seed },
  });
}

const verdictOf = (result: DrillResult): string => {
  const broken = result.verdict.rules.filter(({ status }) => status === 'broken').map(({ rule }) => rule);
  return broken.length > 0 ? `broken: ${broken.join(', ')}` : standingOf(result);
};

const percent = (share: number | null): string | null =>
  share === null ? null : `${Math.round(share * 100)} %`;

const RUN_COLUMNS: readonly Column<DrillResult>[] = [
  { header: 'DRILL', value: ({ drill }) => drill },
  { header: 'SEED', value: ({ seed }) => seed, align: 'right' },
  { header: 'VERDICT', value: verdictOf },
  { header: 'REQUESTS', value: ({ scale }) => scale.operations, align: 'right' },
  { header: 'CONFIRMED', value: ({ scale }) => scale.confirmed, align: 'right' },
  { header: 'REJECTED', value: ({ scale }) => percent(scale.shareRejected), align: 'right' },
  { header: 'UNKNOWN', value: ({ scale }) => scale.unknown, align: 'right' },
  {
    header: 'FAULTS',
    value: ({ scale }) =>
      scale.faultsFailed === 0
        ? scale.faultsInjected
        : `${scale.faultsInjected} (${scale.faultsFailed} failed)`,
    align: 'right',
  },
  { header: 'TOOK', value: ({ tookMs }) => formatDurationMs(tookMs), align: 'right', wide: true },
  { header: 'STARTED', value: ({ startedAt }) => startedAt, wide: true },
  { header: 'RUN', value: ({ id }) => id },
];

/** One line a run. */
export const runsTable = (runs: readonly DrillResult[]): Section =>
  table({ columns: RUN_COLUMNS, rows: runs, empty: 'no drill has been run; capstan drill list names them' });

const RULE_COLUMNS: readonly Column<RuleVerdict>[] = [
  { header: 'RULE', value: ({ rule }) => rule },
  { header: 'STATUS', value: ({ status }) => status },
  { header: 'JUDGED', value: ({ judged }) => judged, align: 'right' },
  { header: 'VIOLATIONS', value: ({ violations }) => violations, align: 'right' },
  { header: 'WHY', value: ({ why }) => why, shrink: true },
];
const ROUND_COLUMNS: readonly Column<Round & { readonly n: number }>[] = [
  { header: '#', value: ({ n }) => n, align: 'right' },
  { header: 'FAULT', value: ({ fault }) => fault },
  { header: 'OF', value: ({ target }) => target },
  { header: 'NEXT LEADER', value: ({ successor }) => successor },
  {
    header: 'OUTAGE',
    value: ({ outageMs }) => (outageMs === null ? null : formatDurationMs(outageMs)),
    align: 'right',
  },
  { header: 'ERRORS', value: ({ errors }) => errors, align: 'right' },
  {
    header: 'JUDGED',
    value: ({ carriedOut, broken }) =>
      broken.length > 0 ? `broken: ${broken.join(', ')}` : carriedOut ? 'held' : 'not carried out',
  },
  { header: 'TOLD', value: ({ told }) => told, shrink: true },
];

const roundsTable = (rounds: readonly Round[]): Section[] =>
  rounds.length === 0
    ? []
    : [table({ columns: ROUND_COLUMNS, rows: rounds.map((round, index) => ({ ...round, n: index + 1 })) })];

function outageLine(rounds: readonly Round[]): string | null {
  const outages = outagesOf(rounds);
  if (outages === null) return null;
  const { measured, medianMs, worstMs } = outages;
  return `${formatDurationMs(medianMs)} at the median, ${formatDurationMs(worstMs)} at worst, from the fault to the first decision that a caller was told of (${measured} changes of leader)`;
}

const VIOLATIONS_SHOWN = 10;

/** One run as a whole: what it was, what was judged, and the lines around the first violation. */
export function runSections(result: DrillResult): Section[] {
  const { scale, options, verdict, excerpt } = result;
  const { violations } = verdict;
  return [
    facts([
      ['run', result.id],
      ['drill', `${result.drill}: ${result.promise}`],
      ['falsifies', result.invariants.join(', ')],
      ['verdict', verdictOf(result)],
      ['seed', result.seed],
      [
        'faults',
        `${options.faults.join(', ')}${options.rounds === null ? '' : `; ${options.rounds} in turn`}`,
      ],
      ['load', `${options.ratePerSecond}/s for ${formatDurationMs(options.durationMs)}`],
      [
        'scale',
        `${scale.operations} requests (${scale.leftOut} left out); ${scale.confirmed} confirmed, ${scale.rejected} rejected, ${scale.unknown} left open`,
      ],
      ['rejected', percent(scale.shareRejected)],
      ['injected', `${scale.faultsInjected} faults, ${scale.faultsFailed} failed`],
      ['outage', outageLine(result.rounds ?? [])],
      ['started', `${result.startedAt}, took ${formatDurationMs(result.tookMs)}`],
      ['sandbox', result.sandbox],
      ['version', result.version],
      ['history', result.history],
    ]),
    ...roundsTable(result.rounds ?? []),
    table({ columns: RULE_COLUMNS, rows: verdict.rules }),
    ...violations
      .slice(0, VIOLATIONS_SHOWN)
      .map(({ rule, message, evidence }) =>
        text(`${rule}: ${message} (lines ${evidence.map(({ i }) => i).join(', ')})`),
      ),
    ...(excerpt === null
      ? []
      : [
          text(
            ['these lines alone show it:', ...excerpt.lines.map((line) => JSON.stringify(line))].join('\n'),
          ),
        ]),
  ];
}

/** For CI systems: one case a rule of each run. */
export function drillCi(runs: readonly DrillResult[]): CiReport {
  const broken = runs.filter((run) => standingOf(run) !== 'held');
  return {
    suite: 'drills',
    verdict: broken.length === 0 ? 'held' : `not held: ${broken.map(({ id }) => id).join(', ')}`,
    cases: runs.flatMap((run) => run.verdict.rules.map((rule) => ciCase(run, rule))),
    tookMs: runs.reduce((sum, { tookMs }) => sum + tookMs, 0),
    at: runs[0]?.startedAt ?? new Date().toISOString(),
  };
}

const CI_STATUS = { held: 'pass', broken: 'fail', 'not judged': 'skipped' } as const;

function ciCase(run: DrillResult, { rule, status, judged, violations, why }: RuleVerdict): CiCase {
  const first = run.verdict.violations.find((violation) => violation.rule === rule);
  return {
    demand: rule,
    subject: `${run.drill} ${run.id}`,
    status: CI_STATUS[status],
    message: first?.message ?? why ?? `${judged} judged`,
    detail: `judged: ${judged}; violations: ${violations}; seed: ${run.seed}; history: ${run.history}`,
  };
}
