import { assertNever } from '../../domain/errors.ts';
import type { CiCase, CiReport } from './ci.ts';

/**
 * A report as JUnit XML: what failed is a `failure`, what could not be evaluated an `error`, what doesn't apply is
 * `skipped`.
 */
export function renderJunit({ suite, cases, tookMs, at }: CiReport): string {
  const seconds = (tookMs / 1_000).toFixed(3);
  const count = (wanted: CiCase['status']) => cases.filter(({ status }) => status === wanted).length;
  const totals = `tests="${cases.length}" failures="${count('fail')}" errors="${count('unknown')}" skipped="${count('skipped')}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="capstan" ${totals} time="${seconds}">`,
    `  <testsuite name="${escape(suite)}" ${totals} time="${seconds}" timestamp="${escape(at)}">`,
    ...cases.map((one) => testCase(suite, one)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(suite: string, { demand, subject, status, ...said }: CiCase): string {
  const open = `    <testcase classname="${escape(suite)}.${escape(demand)}" name="${escape(subject)}"`;
  const message = escape(said.message);
  const detail = escape(said.detail);
  switch (status) {
    case 'pass':
      return `${open}><system-out>${message}; ${detail}</system-out></testcase>`;
    case 'fail':
      return `${open}><failure message="${message}">${detail}</failure></testcase>`;
    case 'unknown':
      return `${open}><error message="${message}">${detail}</error></testcase>`;
    case 'skipped':
      return `${open}><skipped message="${message}"/></testcase>`;
    default:
      return assertNever(status);
  }
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
