import type { CheckResult, ReadinessReport } from '../../checks/types.ts';
import { assertNever } from '../../domain/errors.ts';

/**
 * A readiness report as JUnit XML: a check that failed is a `failure`, one that could not be evaluated an `error`, one
 * that doesn't apply is `skipped`.
 */
export function renderJunit({ counts, results, tookMs, at }: ReadinessReport): string {
  const seconds = (tookMs / 1_000).toFixed(3);
  const totals = `tests="${results.length}" failures="${counts.fail}" errors="${counts.unknown}" skipped="${counts.skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="capstan" ${totals} time="${seconds}">`,
    `  <testsuite name="readiness" ${totals} time="${seconds}" timestamp="${escape(at)}">`,
    ...results.map(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(result: CheckResult): string {
  const open = `    <testcase classname="readiness.${escape(result.check)}" name="${escape(result.subject)}"`;
  const message = escape(result.message);
  const detail = escape(evidenceLine(result));
  switch (result.status) {
    case 'pass':
      return `${open}><system-out>${message}; ${detail}</system-out></testcase>`;
    case 'fail':
      return `${open}><failure message="${message}">${detail}</failure></testcase>`;
    case 'unknown':
      return `${open}><error message="${message}">${detail}</error></testcase>`;
    case 'skipped':
      return `${open}><skipped message="${message}"/></testcase>`;
    default:
      return assertNever(result.status);
  }
}

/** Figure, budget, age and who was asked, on one line. */
export function evidenceLine({ figure, budget, sampleAgeMs, asked, next }: CheckResult): string {
  return [
    `measured: ${figure ?? 'nothing'}`,
    `budget: ${budget ?? 'none'}`,
    `sample age: ${sampleAgeMs === undefined ? 'unknown' : `${sampleAgeMs} ms`}`,
    `asked: ${asked ?? 'nobody'}`,
    ...(next === undefined ? [] : [`next: ${next}`]),
  ].join('; ');
}

const NAMED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

const escape = (text: string) =>
  text
    .replaceAll(/[&<>"']/g, (character) => NAMED[character] ?? character)
    // XML 1.0 has no way to write most control characters.
    .replaceAll(/[^\P{Cc}\t\n\r]/gu, '�');
