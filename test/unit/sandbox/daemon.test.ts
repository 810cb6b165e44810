import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { logTail, runningDaemon, signalAll, startDaemon, waitForEnd } from '../../../src/sandbox/daemon.ts';
import { SandboxPaths } from '../../../src/sandbox/folders.ts';
import { processesUnder } from '../../../src/sandbox/process-table.ts';

let folder: string;
let paths: SandboxPaths;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  paths = new SandboxPaths('x', { CAPSTAN_STATE_DIR: folder });
});
afterEach(async () => {
  const left = await processesUnder(paths.folder);
  await signalAll(left, 'SIGKILL');
  await waitForEnd(left, 5_000);
  await rm(folder, { recursive: true });
});

const start = (script: string) =>
  startDaemon(paths, { name: 'link', program: '/bin/sh', args: ['-c', script], environment: process.env });

test('a daemon is found by its record and by the folder that it works in', async () => {
  const record = await start('exec sleep 60');
  expect(await runningDaemon(paths, 'link')).toEqual(record);
  expect((await processesUnder(paths.folder)).map(({ pid }) => pid)).toEqual([record.pid]);
  await signalAll([record], 'SIGKILL');
  expect(await waitForEnd([record], 5_000)).toEqual([]);
  expect(await runningDaemon(paths, 'link')).toBe(undefined);
});

test('a process that took over the pid is never signalled', async () => {
  const record = await start('exec sleep 60');
  expect(await signalAll([{ pid: record.pid, startedAt: 'another time' }], 'SIGKILL')).toBe(0);
  expect(await runningDaemon(paths, 'link')).toEqual(record);
});

test('the end of a log is kept for the error that names the process', async () => {
  const record = await start('for i in $(seq 1 40); do echo "line $i"; done; echo "port taken" >&2');
  await waitForEnd([record], 5_000);
  expect((await logTail(paths, 'link')).slice(-2)).toEqual(['line 40', 'port taken']);
});

test.runIf(process.platform === 'linux')(
  'a daemon keeps no descriptor of its starter open, so that nobody waits for it',
  async () => {
    const module = fileURLToPath(new URL('../../../src/sandbox/daemon.ts', import.meta.url));
    const folders = fileURLToPath(new URL('../../../src/sandbox/folders.ts', import.meta.url));
    const program = `
      import { startDaemon } from '${module}';
      import { SandboxPaths } from '${folders}';
      const paths = new SandboxPaths('x', { CAPSTAN_STATE_DIR: '${folder}' });
      await startDaemon(paths, { name: 'link', program: '/bin/sleep', args: ['60'], environment: {} });`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
    });
    await once(starter, 'exit');
    const [daemon] = await processesUnder(paths.folder);
    const open = await readdir(`/proc/${daemon?.pid}/fd`);
    const targets = await Promise.all(open.map((fd) => readlink(`/proc/${daemon?.pid}/fd/${fd}`)));
    expect(targets.filter((target) => /^(pipe|socket):/.test(target))).toEqual([]);
  },
);
