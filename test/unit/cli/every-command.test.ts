import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, documentOf, root, runCli, runEach, type CliRun } from '../../support/cli.ts';

const MINUTES = 180_000;
const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];

interface Command {
  readonly id: string;
  readonly kind: string;
  readonly args: Readonly<Record<string, { readonly required?: boolean }>>;
}

let folder: string;
let env: NodeJS.ProcessEnv;
let commands: readonly Command[];

beforeAll(() => {
  buildCli();
  folder = mkdtempSync(join(tmpdir(), 'capstan-cli-'));
  mkdirSync(join(folder, 'state'));
  env = { CAPSTAN_STATE_DIR: join(folder, 'state') };
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, Command>;
  };
  commands = Object.values(manifest.commands);
  // Nothing listens on port 1: an estate whose etcd is away.
  const passwords = ROLES.map((role) => `${role}: {env: CAPSTAN_TEST_PASSWORD}`).join(', ');
  writeFileSync(
    join(folder, 'capstan.yaml'),
    [
      'estate: away',
      'etcd: {endpoints: {default: ["http://127.0.0.1:1"]}}',
      `postgres: {passwords: {${passwords}}}`,
      `contract: ${join(root, 'contract.yaml')}`,
      'clusters: {c1: {homeRegion: ny, bootstrapMember: m1, members: {m1: {region: ny, role: voter, dataDir: d, listen: "127.0.0.1:1", address: {default: "127.0.0.1:1"}}}}}',
      'gateways: {g1: {region: ny, listen: "127.0.0.1:1", keysFile: keys.json, url: "http://127.0.0.1:1"}}',
      '',
    ].join('\n'),
  );
}, MINUTES);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const place = () => ({ cwd: folder, env: { ...env, CAPSTAN_TEST_PASSWORD: 'x' } });
const run = (args: readonly string[]): Promise<CliRun> => runCli(args, place());
const runAll = (lines: readonly (readonly string[])[]): Promise<readonly CliRun[]> => runEach(lines, place());
const words = ({ id }: Command) => id.split(':');
const surplus = (command: Command) => [...Object.keys(command.args).map(() => 'x'), 'too', 'many'];

describe('every command, asked wrongly with -o json, answers with exactly one document and exit 2', () => {
  test(
    'for a flag that it does not have',
    async () => {
      const runs = await runAll(
        commands.map((command) => [...words(command), '--no-such-flag', '-o', 'json']),
      );
      const answers = runs.map((result, index) => {
        const { ok, kind, error } = documentOf(result);
        return {
          id: commands[index]?.id,
          status: result.status,
          ok,
          kind,
          code: error?.code,
          exit: error?.exit,
        };
      });
      expect(answers).toEqual(
        commands.map(({ id, kind }) => ({ id, status: 2, ok: false, kind, code: 'flag_unknown', exit: 2 })),
      );
    },
    MINUTES,
  );

  test(
    'for more arguments than it takes',
    async () => {
      const runs = await runAll(
        commands.map((command) => [...words(command), ...surplus(command), '--json']),
      );
      const answers = runs.map((result, index) => ({
        id: commands[index]?.id,
        status: result.status,
        ok: documentOf(result).ok,
      }));
      expect(answers).toEqual(commands.map(({ id }) => ({ id, status: 2, ok: false })));
    },
    MINUTES,
  );
});

const MISTAKES = [
  [['no-such-noun', '-o', 'json'], 'command_not_found', 2],
  [['map', '-o', 'json'], 'command_incomplete', 2],
  [['map', 'rout', '--json'], 'command_not_found', 2],
  [['map', 'route', '--json'], 'argument_missing', 2],
  [['map', 'route', 'MUNI 77', '--json'], 'issuer_invalid', 2],
  [['map', 'history', '--limit', '0', '--json'], 'flag_invalid', 2],
  [['failover', 'run', 'c1', '--timeout', 'soon', '--json'], 'flag_invalid', 2],
  [['member', 'add', 'm1', '--region', 'madrid', '--json'], 'flags_conflict', 2],
  [['rebalance', 'plan', '--shards', '184', '--json'], 'flags_conflict', 2],
  [['rebalance', 'start', '--shards', 'few', '--to', 'c1', '--json'], 'flag_invalid', 2],
  [['rebalance', 'cutover', 'x', 'few', '--json'], 'argument_invalid', 2],
  [['token', 'decode', 'shard184', '--json'], 'commit_token_invalid', 2],
  [['token', 'resolve', 'tok-77', '--settle', '--json'], 'flags_conflict', 2],
  [['schema', 'NoSuchKind', '--json'], 'schema_unknown', 2],
  [['completion', 'tcsh', '--json'], 'argument_invalid', 2],
  [['agent', 'run', 'nobody', '--json'], 'member_unknown', 2],
  [['gateway', 'run', 'nowhere', '--json'], 'gateway_unknown', 2],
  [['gateway', 'run', 'g1', '--json'], 'keys_unreadable', 2],
  [['gateway', 'key', 'desk 7', '--json'], 'desk_invalid', 2],
  [['readiness', 'check', '--check', 'luck', '--json'], 'check_unknown', 2],
  [['readiness', 'check', '--report', 'xml', '--json'], 'flag_invalid', 2],
  [['status', '--config', 'none.yaml', '--json'], 'config_unreadable', 2],
  [['init', '--contract', 'none.yaml', '--json'], 'contract_unreadable', 2],
  [['drill', 'run', 'luck', '--json'], 'drill_unknown', 2],
  [['drill', 'run', 'races', '--json'], 'sandbox_not_found', 4],
  [['drill', 'report', '--json'], 'drill_run_not_found', 4],
  [['drill', 'report', 'races-1', '--json'], 'drill_run_not_found', 4],
  [['history', 'check', '--json'], 'argument_missing', 2],
  [['history', 'check', 'none.jsonl', '--json'], 'history_unreadable', 2],
  [['sandbox', 'status', '--json'], 'sandbox_not_found', 4],
] as const;

/** One of each way to end, so that what the process says is shown too. */
const OF_THEIR_OWN: ReadonlySet<string> = new Set([
  'command_not_found',
  'flags_conflict',
  'config_unreadable',
  'sandbox_not_found',
]);

describe('a mistake', () => {
  let answers: ReadonlyMap<readonly string[], CliRun>;

  beforeAll(async () => {
    const lines = MISTAKES.map(([args]) => args);
    const runs = await runAll(lines);
    answers = new Map(lines.map((args, index) => [args, runs[index]] as [readonly string[], CliRun]));
  }, MINUTES);

  test.concurrent.each(MISTAKES)(
    'capstan %j ends in %s, exit %i',
    async (args, code, exit) => {
      const result = OF_THEIR_OWN.has(code) ? await run(args) : answers.get(args);
      if (result === undefined) throw new Error('no answer');
      expect(documentOf(result).error).toMatchObject({ code, exit });
      expect(result.status).toBe(exit);
    },
    60_000,
  );
});

const NEED_ETCD = [
  ['status'],
  ['map', 'show'],
  ['map', 'route', 'MUNI-77'],
  ['map', 'history'],
  ['map', 'diff', '1'],
  ['cluster', 'list'],
  ['cluster', 'show', 'c1'],
  ['cluster', 'create', 'c1'],
  ['shard', 'list'],
  ['shard', 'show', '184'],
  ['member', 'list'],
  ['failover', 'plan', 'c1'],
  ['failover', 'run', 'c1', '--confirm=c1'],
  ['member', 'add', 'm1', '--confirm=c1'],
  ['member', 'promote', 'm1', '--confirm=c1'],
  ['member', 'remove', 'm1', '--confirm=c1'],
  ['rebalance', 'plan'],
  ['rebalance', 'start', '--yes'],
  ['rebalance', 'status'],
  ['rebalance', 'cutover', 'x', '--confirm=c1'],
  ['rebalance', 'sweep'],
  ['operation', 'list'],
  ['operation', 'show', 'x'],
  ['operation', 'resume', 'x'],
  ['operation', 'abort', 'x', '--confirm=c1'],
  ['audit', 'log'],
  ['token', 'resolve', 'tok-77'],
  ['init'],
] as const;

describe('without etcd', () => {
  let answers: readonly CliRun[];

  beforeAll(async () => {
    answers = await runAll(NEED_ETCD.map((args) => [...args, '-o', 'json']));
  }, MINUTES);

  test.each(NEED_ETCD.map((args, index) => ({ line: args.join(' '), index })))(
    'capstan $line says etcd_unreachable, exit 7',
    ({ index }) => {
      const result = answers[index];
      if (result === undefined) throw new Error('no answer');
      expect(documentOf(result).error).toMatchObject({ code: 'etcd_unreachable', exit: 7 });
      expect(result.status).toBe(7);
    },
  );
});

test('without etcd the readiness check is evaluated: all unknown, exit 3', async () => {
  const result = await run(['readiness', 'check', '-o', 'json']);
  const { data, error } = documentOf(result);
  expect(result.status).toBe(3);
  expect(error).toMatchObject({ code: 'not_ready', exit: 3 });
  expect(data).toMatchObject({ ready: false, counts: { pass: 0 } });
}, 60_000);

test.concurrent.each([
  [['context'], 'Context'],
  [['schema'], 'SchemaList'],
  [['schema', 'Status'], 'Schema'],
  [['completion', 'bash'], 'Completion'],
  [['readiness', 'list'], 'ReadinessCheckList'],
  [['token', 'decode', 'shard184@982441~7.3'], 'CommitToken'],
  [['gateway', 'key', 'desk-7'], 'GatewayKey'],
  [['init', '--dry-run'], 'Init'],
  [['map', 'route', '--help'], 'Help'],
  [['--help'], 'Help'],
  [['drill', 'list'], 'DrillList'],
  [['sandbox', 'list'], 'SandboxList'],
] as const)(
  'capstan %j succeeds with one document of kind %s',
  async (args, kind) => {
    const result = await run([...args, '-o', 'json']);
    expect(documentOf(result)).toMatchObject({ kind, ok: true, error: null });
    expect(result.status).toBe(0);
  },
  60_000,
);

test('yaml is one document too, in failure as well', async () => {
  const { parse } = await import('yaml');
  const failed = await run(['map', 'rout', '-o', 'yaml']);
  expect(parse(failed.stdout)).toMatchObject({ ok: false, error: { code: 'command_not_found' } });
  const done = await run(['token', 'decode', 'shard184@982441~7.3', '-o', 'yaml']);
  expect(parse(done.stdout)).toMatchObject({ ok: true, data: { position: '982441' } });
});

test('an error for people is on stderr alone, names its code and what to do next, and shows no stack', async () => {
  const { stdout, stderr } = await run(['map', 'rout']);
  expect(stdout).toBe('');
  expect(stderr).toBe(
    'error: there is no command "map rout" (command_not_found)\nnext: capstan map route --help\n',
  );
});

test('a watch of something that is away writes one document a line and ends at SIGTERM', async () => {
  const { spawn } = await import('node:child_process');
  const child = spawn(
    process.execPath,
    [join(root, 'bin/run.js'), 'status', '--watch', '--interval', '100ms', '-o', 'json'],
    {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.split('\n').length > 3 && !child.killed) child.kill('SIGTERM');
  }
  const documents = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { error: { code: string } });
  expect(documents.length).toBeGreaterThanOrEqual(3);
  expect(new Set(documents.map(({ error }) => error.code))).toEqual(new Set(['etcd_unreachable']));
}, 60_000);

test('a reader that closes its end is met quietly', async () => {
  const { execFileSync } = await import('node:child_process');
  const script = `"${process.execPath}" "${join(root, 'bin/run.js')}" schema Status | head -n 1`;
  const out = execFileSync('bash', ['-o', 'pipefail', '-c', `{ ${script}; } 2>&1`], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  expect(out).toBe('{\n');
});
