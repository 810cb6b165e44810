import type { CheckResult, ReadinessReport } from '../../checks/types.ts';
import { CapstanError, ExitCode } from '../../domain/errors.ts';
import type { CiReport } from '../render/ci.ts';
import { table, text, type Column, type Section } from '../render/section.ts';
import type { ReadinessReportData } from '../schemas/readiness.ts';

export const readinessData = ({
  ready,
  counts,
  results,
  tookMs,
  at,
}: ReadinessReport): ReadinessReportData => ({
  ready,
  counts,
  results: results.map(({ check, subject, status, message, ...evidence }) => ({
    check,
    subject,
    cluster: evidence.cluster ?? null,
    status,
    message,
    figure: evidence.figure ?? null,
    budget: evidence.budget ?? null,
    sampleAgeMs: evidence.sampleAgeMs ?? null,
    asked: evidence.asked ?? null,
    next: evidence.next ?? null,
  })),
  tookMs,
  at,
});

/** The same for CI systems. */
export const readinessCi = ({ ready, counts, results, tookMs, at }: ReadinessReport): CiReport => ({
  suite: 'readiness',
  verdict: ready ? 'ready' : `not ready: ${counts.fail} failed, ${counts.unknown} unknown`,
  cases: results.map((result) => ({
    demand: result.check,
    subject: result.subject,
    status: result.status,
    message: result.message,
    detail: evidenceLine(result),
  })),
  tookMs,
  at,
});

/** Figure, budget, age and who was asked, on one line. */
function evidenceLine({ figure, budget, sampleAgeMs, asked, next }: CheckResult): string {
  return [
    `measured: ${figure ?? 'nothing'}`,
    `budget: ${budget ?? 'none'}`,
    `sample age: ${sampleAgeMs === undefined ? 'unknown' : `${sampleAgeMs} ms`}`,
    `asked: ${asked ?? 'nobody'}`,
    ...(next === undefined ? [] : [`next: ${next}`]),
  ].join('; ');
}

/** Evaluated, and not ready (exit 3); undefined when ready. */
export function readinessError({ ready, counts, results }: ReadinessReport): CapstanError | undefined {
  if (ready) return undefined;
  const failing = results.find(({ status, next }) => status === 'fail' && next !== undefined);
  return new CapstanError(`not ready: ${counts.fail} failed, ${counts.unknown} could not be evaluated`, {
    code: 'not_ready',
    exit: ExitCode.notReady,
    retryable: true,
    next: failing?.next ?? 'capstan readiness check -o wide shows the evidence',
    data: { counts },
  });
}

const COLUMNS: readonly Column<CheckResult>[] = [
  { header: 'CHECK', value: (row) => row.check },
  { header: 'SUBJECT', value: (row) => row.subject },
  { header: 'STATUS', value: (row) => row.status },
  { header: 'WHAT', value: (row) => row.message, shrink: true },
  { header: 'FIGURE', value: (row) => row.figure, wide: true, shrink: true },
  { header: 'BUDGET', value: (row) => row.budget, wide: true, shrink: true },
  {
    header: 'AGE',
    value: (row) => (row.sampleAgeMs === undefined ? null : `${row.sampleAgeMs} ms`),
    wide: true,
  },
  { header: 'ASKED', value: (row) => row.asked, wide: true, shrink: true },
];

export function readinessSections(report: ReadinessReport): Section[] {
  const { ready, counts, results, tookMs } = report;
  const verdict = ready ? 'ready' : 'not ready';
  return [
    table({ columns: COLUMNS, rows: results }),
    text(
      `${verdict}: ${counts.pass} pass, ${counts.fail} fail, ${counts.unknown} unknown, ${counts.skipped} skipped, in ${tookMs} ms`,
    ),
  ];
}
