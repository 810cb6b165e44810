import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../../support/cli.ts';

const LIMIT_MS = 30_000;
const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'closed-pipe-'));
  // Nothing listens on port 1: every look at the estate fails, and may succeed later.
  writeFileSync(
    join(folder, 'capstan.yaml'),
    [
      'estate: away',
      'etcd: {endpoints: {default: ["http://127.0.0.1:1"]}}',
      `postgres: {passwords: {${ROLES.map((role) => `${role}: {env: NO_PASSWORD}`).join(', ')}}}`,
      '',
    ].join('\n'),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command line from its source, with one end of a pipe closed before it writes to it. */
async function runWithClosed(closed: 'stdout' | 'stderr', args: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'bin/dev.js'), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS - 5_000,
  });
  child[closed].destroy();
  let text = '';
  child[closed === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, text };
}

test(
  'a closed stderr takes nothing from the exit status',
  async () => expect(await runWithClosed('stderr', ['no-such-command'])).toEqual({ status: 2, text: '' }),
  LIMIT_MS,
);

test(
  'a closed stdout is quiet, and the status is the command’s own',
  async () => {
    expect(await runWithClosed('stdout', ['--help'])).toEqual({ status: 0, text: '' });
    expect(await runWithClosed('stdout', ['no-such-command', '-o', 'json'])).toEqual({ status: 2, text: '' });
  },
  LIMIT_MS,
);

test(
  'a watch that nobody reads any more ends by itself, quietly',
  async () =>
    expect(await runWithClosed('stdout', ['status', '--watch', '--interval', '100ms', '-o', 'json'])).toEqual(
      {
        status: 0,
        text: '',
      },
    ),
  LIMIT_MS,
);
