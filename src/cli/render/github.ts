import type { CiReport } from './ci.ts';

/** Workflow commands that GitHub shows as annotations: one a case that failed or could not be evaluated. */
export function renderAnnotations({ cases }: CiReport): string {
  return cases
    .filter(({ status }) => status === 'fail' || status === 'unknown')
    .map(({ demand, subject, status, message, detail }) => {
      const level = status === 'fail' ? 'error' : 'warning';
      const title = property(`${demand}: ${subject} ${status}`);
      return `::${level} title=${title}::${data(`${message} (${detail})`)}\n`;
    })
    .join('');
}

/** The job's summary page. */
export function renderSummary({ suite, verdict, cases }: CiReport): string {
  return [
    `### Capstan ${suite}: ${verdict}`,
    '',
    '| what | subject | status | why |',
    '| --- | --- | --- | --- |',
    ...cases.map(
      ({ demand, subject, status, message }) =>
        `| ${demand} | ${cell(subject)} | ${status} | ${cell(message)} |`,
    ),
    '',
  ].join('\n');
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
