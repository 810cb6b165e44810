import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Output } from '../../../src/cli/output.ts';
import { writeReports } from '../../../src/cli/report.ts';

test('a report that can’t be written is answered, and the others are written all the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'report-'));
  try {
    const good = join(folder, 'good.xml');
    const report = {
      suite: 'readiness',
      verdict: 'ready',
      cases: [
        {
          demand: 'made-up',
          subject: 'estate',
          status: 'pass',
          message: 'fine',
          detail: 'measured: nothing',
        },
      ],
      tookMs: 1,
      at: new Date().toISOString(),
    } as const;
    const unwritten = await writeReports(
      [
        { kind: 'junit', file: join(folder, 'no-such-folder', 'bad.xml') },
        { kind: 'junit', file: good },
      ],
      { report, output: new Output({ format: 'json', noColor: true, debug: false }) },
    );
    expect(unwritten).toMatchObject([{ code: 'report_unwritable', exit: 2 }]);
    expect(readFileSync(good, 'utf8')).toContain('made-up');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
