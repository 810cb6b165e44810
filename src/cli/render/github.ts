import type { ReadinessReport } from '../../checks/types.ts';
import { evidenceLine } from './junit.ts';

/** Workflow commands that GitHub shows as annotations: one a check that failed or could not be evaluated. */
export function renderAnnotations({ results }: ReadinessReport): string {
  return results
    .filter(({ status }) => status === 'fail' || status === 'unknown')
    .map((result) => {
      const level = result.status === 'fail' ? 'error' : 'warning';
      const title = property(`${result.check}: ${result.subject} ${result.status}`);
      return `::${level} title=${title}::${data(`${result.message} (${evidenceLine(result)})`)}\n`;
    })
    .join('');
}

/** The job's summary page. */
export function renderSummary({ ready, counts, results }: ReadinessReport): string {
  const verdict = ready ? 'ready' : `not ready: ${counts.fail} failed, ${counts.unknown} unknown`;
  return [
    `### Capstan readiness: ${verdict}`,
    '',
    '| check | subject | status | what |',
    '| --- | --- | --- | --- |',
    ...results.map(
      ({ check, subject, status, message }) =>
        `| ${check} | ${cell(subject)} | ${status} | ${cell(message)} |`,
    ),
    '',
  ].join('\n');
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
