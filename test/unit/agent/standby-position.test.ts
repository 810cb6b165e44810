import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { agentFiles } from '../../../src/agent/agent-files.ts';
import { hasRecordAfter } from '../../../src/agent/standby-position.ts';

const SEGMENT_BYTES = 16 * 1_024 * 1_024;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-wal-'));
  const wal = join(folder, 'pg_wal');
  await mkdir(wal);
  const segment = join(wal, '000000010000000000000002');
  await writeFile(segment, '');
  await truncate(segment, SEGMENT_BYTES);
});
afterEach(() => rm(folder, { recursive: true }));

const has = (lsn: string, timeline: number) => {
  const asked: string[] = [];
  const path = (program: string) => {
    asked.push(program);
    return '/bin/false';
  };
  const context = {
    binaries: { version: '15', binDir: '', path },
    files: agentFiles(folder),
    account: undefined,
  };
  return hasRecordAfter(context, { lsn, timeline }).then(
    (answer) => ({ answer, asked }),
    () => ({ answer: 'failed', asked }),
  );
};

it('nothing follows where the next segment is not there: pg_waldump, which would wait for it, is not asked', async () => {
  expect(await has('0/3000000', 1)).toEqual({ answer: false, asked: [] });
  expect(await has('0/2000100', 2)).toEqual({ answer: false, asked: [] });
});

it('within a segment that is there the log is asked', async () => {
  expect((await has('0/2000100', 1)).asked).toEqual(['pg_waldump']);
});
