import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { documentOf, inParallel } from '../support/cli.ts';
import { openDesks } from '../support/desk-client.ts';
import { must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { capstanText, startSandbox, testStateDir, type TestSandbox } from '../support/sandbox.ts';

const AT_ONCE = 4;
const built = process.env['CAPSTAN_TEST_DIST'] === '1';
const program = fileURLToPath(new URL(`../../bin/${built ? 'run' : 'dev'}.js`, import.meta.url));

/** What only looks, with arguments that a fresh sandbox knows. */
const READS = [
  ['status'],
  ['cluster', 'list'],
  ['cluster', 'show', 'c1'],
  ['cluster', 'history', 'c1'],
  ['member', 'list'],
  ['shard', 'list'],
  ['shard', 'show', '184'],
  ['map', 'show'],
  ['map', 'route', 'MUNI-77'],
  ['map', 'history'],
  ['map', 'diff', '1', '1'],
  ['token', 'resolve', 'known', '--issuer', 'MUNI-77'],
  ['failover', 'plan', 'c1'],
  ['operation', 'list'],
  ['readiness', 'check'],
  ['audit', 'log'],
];
/** No operation has run yet, and a version doesn't differ from itself. */
const NAMELESS = new Set(['operation list', 'map diff 1 1']);
const LOCAL = [
  ['token', 'decode', 'shard184@1~1.1'],
  ['context'],
  ['schema'],
  ['readiness', 'list'],
  ['sandbox', 'list'],
  ['sandbox', 'status'],
  ['sandbox', 'env'],
  ['sandbox', 'link', 'show'],
];
const FAILURES = [
  { words: ['cluster', 'show', 'nowhere'], exit: 4 },
  { words: ['token', 'resolve', 'nobody-sent-this', '--issuer', 'MUNI-77'], exit: 4 },
  { words: ['token', 'decode', 'nonsense'], exit: 2 },
  { words: ['cluster', 'show'], exit: 2 },
  { words: ['no-such-command'], exit: 2 },
  { words: ['status', '--no-such-flag'], exit: 2 },
];

let sandbox: TestSandbox;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  sandbox = await startSandbox();
  environment = { CAPSTAN_SANDBOX: sandbox.name, CAPSTAN_CONFIG: sandbox.environment.config };
  const desks = openDesks(sandbox, new History());
  const answer = await desks.at('madrid').reserve({ issuer: 'MUNI-77', notional: '1', token: 'known' });
  await desks.close();
  if (answer.outcome !== 'confirmed') throw new Error(`not confirmed: ${JSON.stringify(answer)}`);
});
afterAll(() => sandbox?.down());

async function run(words: readonly string[], format: string) {
  const { status, stdout, stderr } = await capstanText([...words, '-o', format], { environment });
  return { words: words.join(' '), status: status ?? -1, stdout, stderr };
}
const runAll = (commands: readonly (readonly string[])[], format: string) =>
  inParallel(
    commands.map((words) => () => run(words, format)),
    AT_ONCE,
  );

/** The command's own process, for what `capstanText` hides: signals and pipes. */
function start(words: readonly string[]): {
  child: ChildProcess;
  output: { stdout: string; stderr: string };
} {
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, CAPSTAN_STATE_DIR: testStateDir(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  return { child, output };
}

describe('against a live estate', () => {
  test('every command that looks prints one valid document with -o json', async () => {
    for (const one of await runAll([...READS, ...LOCAL], 'json')) {
      const document = documentOf(one);
      expect([one.words, document.ok, document.error?.exit ?? 0]).toEqual([
        one.words,
        one.status === 0,
        one.status,
      ]);
      expect(one.words === 'failover plan c1' ? [4] : [0, 3]).toContain(one.status);
    }
  });

  test('with -o yaml the same document, and with -o name one name a line', async () => {
    for (const one of await runAll([...READS, ...LOCAL], 'yaml')) {
      const document = parse(one.stdout) as { apiVersion?: string; ok?: boolean; data?: unknown };
      expect([one.words, document.apiVersion, document.ok]).toEqual([
        one.words,
        'capstan.dev/v1',
        one.status === 0,
      ]);
      expect(document.data).toBeDefined();
    }
    for (const one of await runAll(READS, 'name')) {
      const lines = one.stdout.split('\n').filter((line) => line !== '');
      expect([one.words, lines.length > 0]).toEqual([one.words, !NAMELESS.has(one.words)]);
      for (const line of lines) expect(line).toMatch(/^\S+$/);
    }
  });

  test.each(FAILURES)('a failure is one document too: $words', async ({ words, exit }) => {
    const one = await run(words, 'json');
    const document = documentOf(one);
    expect([one.status, document.ok, document.error?.exit]).toEqual([exit, false, exit]);
  });
});

test('a closed pipe is quiet', async () => {
  const script = `"$0" "$1" shard list -o json | head -c 1; "$0" "$1" shard list | head -1`;
  const child = spawn('sh', ['-c', script, process.execPath, program], {
    env: { ...process.env, CAPSTAN_STATE_DIR: testStateDir(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child, 'close');
  expect(stdout.startsWith('{')).toBe(true);
  expect(stderr).toBe('');
});

test('without a terminal and without --confirm a failover is refused and the flag is named', async () => {
  const one = await run(['failover', 'run', 'c1', '--force'], 'json');
  const document = documentOf(one);
  expect(one.status).toBe(document.error?.exit);
  expect([2, 4]).toContain(one.status);
  expect(`${document.error?.message} ${document.error?.next}`).toContain('--confirm');
  expect(
    (await sandbox.capstan<{ operations: unknown[] }>(['operation', 'list'])).result.data.operations,
  ).toEqual([]);
});

test('--watch -o json prints one document a line, and Ctrl-C ends it quietly', async () => {
  const { child, output } = start(['status', '--watch', '--interval', '300ms', '-o', 'json']);
  await vi.waitFor(() => expect(output.stdout.split('\n').length).toBeGreaterThan(3), {
    timeout: 30_000,
    interval: 100,
  });
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number | null];
  expect([code, output.stderr]).toEqual([0, '']);
  for (const line of output.stdout.split('\n').filter((text) => text !== '')) {
    expect(JSON.parse(line)).toMatchObject({ apiVersion: 'capstan.dev/v1', kind: 'Status', ok: true });
  }
});

test('without etcd every command that needs it fails with 7, fast, in one document', async () => {
  for (const name of ['etcd-new-york', 'etcd-madrid']) await must(sandbox, 'sandbox', 'pause', name);
  try {
    const asked = performance.now();
    // `token resolve` and the checks ask several parts: what can't be asked is unknown there, not unreachable.
    const commands = READS.filter(([noun]) => noun !== 'token' && noun !== 'readiness');
    for (const one of await runAll(commands, 'json')) {
      const document = documentOf(one);
      expect([one.words, one.status, document.error?.code]).toEqual([one.words, 7, 'etcd_unreachable']);
    }
    expect(performance.now() - asked).toBeLessThan(60_000);
  } finally {
    for (const name of ['etcd-new-york', 'etcd-madrid']) await must(sandbox, 'sandbox', 'resume', name);
  }
});
