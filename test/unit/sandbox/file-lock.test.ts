import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileLock } from '../../../src/sandbox/file-lock.ts';
import { readProcess } from '../../../src/sandbox/process-table.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  path = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));

const lock = (waitMs = 5_000) => ({ path, waitMs, what: 'the sandbox x' });

test('only one holder at a time', async () => {
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 5 }, () =>
      withFileLock(lock(), async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => {
          setTimeout(resolve, 5);
        });
        inside -= 1;
      }),
    ),
  );
  expect(most).toBe(1);
});

test('a holder that was killed holds nothing', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const entry = await readProcess(child.pid ?? 0);
  await writeFile(path, JSON.stringify({ pid: child.pid, startedAt: entry?.startedAt }));
  await expect(withFileLock(lock(50), async () => 'held')).rejects.toMatchObject({
    code: 'sandbox_busy',
    exit: 4,
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await withFileLock(lock(), async () => 'held')).toBe('held');
});

test('another process under the same pid is not the holder', async () => {
  await writeFile(path, JSON.stringify({ pid: process.pid, startedAt: 'long ago' }));
  expect(await withFileLock(lock(), async () => 'held')).toBe('held');
});
