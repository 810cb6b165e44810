import { custom } from '@oclif/core/flags';
import { appendFile, writeFile } from 'node:fs/promises';
import { type CapstanError, messageOf, usageError } from '../domain/errors.ts';
import type { Output } from './output.ts';
import type { CiReport } from './render/ci.ts';

type Report = { readonly kind: 'junit'; readonly file: string } | { readonly kind: 'github' };

/** Reads `junit=FILE` or `github`. Throws CapstanError `flag_invalid` (exit 2). */
function parseReport(input: string): Report {
  if (input === 'github') return { kind: 'github' };
  const file = /^junit=(.+)$/.exec(input)?.[1];
  if (file !== undefined) return { kind: 'junit', file };
  throw usageError(`${JSON.stringify(input)} is not a report: junit=FILE or github`, {
    code: 'flag_invalid',
  });
}

/** `--report`: what is also written for CI. Give it `multiple: true`. */
export const reportFlag = custom<Report>({
  summary: 'Also for CI: junit=FILE or github; may be repeated.',
  helpValue: 'REPORT',
  parse: async (input) => parseReport(input),
});

/** Writes the reports that CI systems read. Resolves with `report_unwritable` (exit 2) of each that can't be written. */
export async function writeReports(
  reports: readonly Report[],
  { report, output }: { readonly report: CiReport; readonly output: Output },
): Promise<readonly CapstanError[]> {
  const unwritten: (CapstanError | undefined)[] = [];
  for (const wanted of reports) {
    if (wanted.kind === 'junit') {
      const { renderJunit } = await import('./render/junit.ts');
      unwritten.push(await failureToWrite(wanted.file, () => writeFile(wanted.file, renderJunit(report))));
      continue;
    }
    const { renderAnnotations, renderSummary } = await import('./render/github.ts');
    // GitHub reads annotations from stderr too; stdout belongs to the result.
    output.aside(renderAnnotations(report));
    const page = process.env['GITHUB_STEP_SUMMARY'];
    if (page !== undefined && page !== '')
      unwritten.push(await failureToWrite(page, () => appendFile(page, renderSummary(report))));
  }
  return unwritten.filter((failure) => failure !== undefined);
}

async function failureToWrite(file: string, write: () => Promise<void>): Promise<CapstanError | undefined> {
  try {
    await write();
    return undefined;
  } catch (error) {
    return usageError(`the report ${file} can't be written: ${messageOf(error)}`, {
      code: 'report_unwritable',
      cause: error,
    });
  }
}
