import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Keys } from '../../src/controlplane/keys.ts';
import { newOperation } from '../../src/controlplane/operation/record.ts';
import { buildCli, documentOf, root, runCli, type CliDocument } from '../support/cli.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';

/** The command line over a real etcd, from an empty one on; no Postgres runs, so every cluster stays in bootstrap. */
const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];
const member = (region: string, role: string, port: number) =>
  `{region: ${region}, role: ${role}, dataDir: d${port}, listen: "127.0.0.1:${port}", address: {default: "127.0.0.1:${port}"}}`;

let etcd: TestEtcd;
let folder: string;

beforeAll(async () => {
  buildCli();
  etcd = await startEtcd();
  folder = mkdtempSync(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'cli-'));
  mkdirSync(join(folder, 'secrets'));
  for (const role of ROLES) writeFileSync(join(folder, 'secrets', role), `${role}\n`);
  const passwords = ROLES.map((role) => `${role}: {file: secrets/${role}}`).join(', ');
  writeFileSync(
    join(folder, 'capstan.yaml'),
    [
      'estate: harbor',
      `etcd: {endpoints: {default: [${etcd.endpoints.map((url) => JSON.stringify(url)).join(', ')}]}}`,
      `postgres: {passwords: {${passwords}}}`,
      `contract: ${join(root, 'contract.yaml')}`,
      'clusters:',
      `  c1: {homeRegion: ny, bootstrapMember: a1, members: {a1: ${member('ny', 'voter', 1)}, a2: ${member('ny', 'voter', 2)}, a3: ${member('md', 'observer', 3)}}}`,
      `  c2: {homeRegion: md, bootstrapMember: b1, members: {b1: ${member('md', 'voter', 4)}}}`,
      '',
    ].join('\n'),
  );
});
afterAll(async () => {
  await etcd.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(...args: string[]): Promise<{ readonly status: number; readonly document: CliDocument }> {
  const run = await runCli([...args, '-o', 'json'], { cwd: folder, env: { CAPSTAN_ACTOR: 'alice@ops' } });
  return { status: run.status, document: documentOf(run) };
}

test('before init there is no estate: every look at it is refused, and says how to make one', async () => {
  for (const args of [['status'], ['map', 'show'], ['map', 'route', 'MUNI-77'], ['failover', 'plan', 'c1']]) {
    const { status, document } = await ask(...args);
    expect({ status, code: document.error?.code, next: document.error?.next }).toEqual({
      status: 4,
      code: 'estate_missing',
      next: 'capstan init',
    });
  }
});

test('init makes the estate once: again is exit 0 and unchanged, other shards are refused', async () => {
  expect((await ask('init')).document.data).toMatchObject({ changed: true, shardCount: 480, mapVersion: 1 });
  expect(await ask('init')).toMatchObject({ status: 0, document: { data: { changed: false } } });
  expect(await ask('init', '--shards', '48')).toMatchObject({
    status: 4,
    document: { error: { code: 'estate_differs' } },
  });
});

test('cluster create admits a cluster once, and refuses one that the configuration does not know', async () => {
  expect((await ask('cluster', 'create', 'c1')).document.data).toMatchObject({ changed: true, epoch: 1 });
  expect(await ask('cluster', 'create', 'c1')).toMatchObject({
    status: 0,
    document: { data: { changed: false } },
  });
  expect(await ask('cluster', 'create', 'c9')).toMatchObject({
    status: 2,
    document: { error: { code: 'cluster_unknown' } },
  });
});

test('MUNI-77 is shard 184, also for people and in names', async () => {
  expect((await ask('map', 'route', 'MUNI-77')).document.data).toMatchObject({
    shard: 184,
    cluster: 'c1',
    term: 1,
  });
  expect((await runCli(['map', 'route', 'MUNI-77', '-o', 'name'], { cwd: folder })).stdout).toBe(
    'shard/184\n',
  );
  expect((await runCli(['map', 'route', 'MUNI-77'], { cwd: folder })).stdout).toMatch(/^shard +184$/m);
});

test('the quick way and the whole command line answer map route alike', async () => {
  const quick = await runCli(['map', 'route', 'MUNI-77', '-o', 'json'], { cwd: folder });
  const whole = await runCli(['-o', 'json', 'map', 'route', 'MUNI-77', '--no-color'], { cwd: folder });
  expect(quick).toEqual(whole);
});

test('what was made is shown, each in its published shape', async () => {
  const { data: status } = (await ask('status')).document;
  expect(status).toMatchObject({
    estate: 'harbor',
    map: { version: 1, shardCount: 480, unowned: 0 },
    operations: [],
  });
  expect((await ask('map', 'show')).document.data).toMatchObject({
    clusters: [
      { cluster: 'c1', shards: 240 },
      { cluster: 'c2', shards: 240 },
    ],
  });
  expect((await ask('map', 'history')).document.data).toMatchObject({
    changes: [{ version: 1, shards: 480, actor: 'alice@ops' }],
  });
  expect((await ask('map', 'diff', '1')).document.data).toEqual({ from: 1, to: 1, changes: [] });
  expect((await ask('cluster', 'show', 'c1')).document.data).toMatchObject({
    phase: 'bootstrap',
    leader: null,
    shards: 240,
  });
  expect((await ask('shard', 'list', '--cluster', 'c2')).document.data).toHaveProperty('shards.length', 240);
  expect((await ask('shard', 'show', '184')).document).toMatchObject({
    data: { head: null },
    warnings: [expect.any(String)],
  });
  expect((await ask('member', 'list')).document.data).toMatchObject({
    members: [{ name: 'a1', state: 'unreachable' }, {}, {}],
  });
});

test('every change is in the audit log with its actor, the newest first', async () => {
  expect((await ask('audit', 'log')).document.data).toMatchObject({
    entries: [
      { action: 'cluster.create', target: 'c1', actor: 'alice@ops', outcome: 'done' },
      { action: 'estate.init', target: 'harbor', actor: 'alice@ops' },
    ],
  });
});

test('a target that does not exist is an error, never an empty success', async () => {
  for (const [args, code] of [
    [['cluster', 'show', 'c9'], 'cluster_not_found'],
    [['member', 'list', '--cluster', 'c9'], 'cluster_not_found'],
    [['shard', 'show', '999'], 'shard_missing'],
    [['operation', 'show', 'nope'], 'operation_not_found'],
    [['map', 'diff', '7'], 'map_version_missing'],
    [['failover', 'plan', 'c9'], 'cluster_not_found'],
  ] as const) {
    expect(await ask(...args)).toMatchObject({ status: 4, document: { error: { code } } });
  }
});

test('a dry run, a plan and a run refuse for the same reason; the run leaves it in the audit log', async () => {
  const plan = await ask('failover', 'plan', 'c1');
  expect(plan).toMatchObject({
    status: 4,
    document: { ok: false, data: { cluster: 'c1' }, error: { code: 'cluster_not_open' } },
  });
  const dry = await ask('failover', 'run', 'c1', '--dry-run');
  expect(dry.document.data).toMatchObject({ dryRun: true, changed: false, plan: plan.document.data });
  expect(await ask('failover', 'run', 'c1', '--confirm=c1')).toMatchObject({
    status: 4,
    document: { error: { code: 'cluster_not_open' } },
  });
  expect((await ask('audit', 'log', '--limit', '1')).document.data).toMatchObject({
    entries: [{ action: 'failover.start', outcome: 'refused', target: 'c1' }],
  });
});

test('the readiness check of what nobody runs is 3, and its JUnit report tells failed from unknown', async () => {
  const report = join(folder, 'junit.xml');
  const { status, document } = await ask(
    'readiness',
    'check',
    '--report',
    `junit=${report}`,
    '--report',
    'github',
  );
  expect(status).toBe(3);
  const { counts } = document.data as { counts: { fail: number; unknown: number; pass: number } };
  expect(counts.fail).toBeGreaterThan(0);
  expect(counts.unknown).toBeGreaterThan(0);
  const xml = execFileSync('cat', [report], { encoding: 'utf8' });
  expect(xml.match(/<failure /g)).toHaveLength(counts.fail);
  expect(xml.match(/<error /g)).toHaveLength(counts.unknown);
});

test('an unknown operation phase, a stuck operation and an orphaned hold make operations-stuck fail', async () => {
  const keys = new Keys('harbor');
  const port = await etcd.open();
  try {
    await port.transact([], [{ kind: 'put', key: keys.activeOperation('c1'), value: '"failover-gone"' }]);
    const { document } = await ask('readiness', 'check', '--check', 'operations-stuck');
    expect(document.data).toMatchObject({ results: [{ status: 'fail', subject: 'c1' }] });
  } finally {
    await port.transact([], [{ kind: 'delete', key: keys.activeOperation('c1') }]);
    port.close();
  }
});

test('resuming an operation that was aborted is refused, and still shows it', async () => {
  const keys = new Keys('harbor');
  const id = 'failover-20261122t205916-3f9a';
  const begun = newOperation({
    id,
    kind: 'failover',
    cluster: 'c1',
    phase: 'aborted',
    actor: 'alice@ops',
    reason: 'a drill',
    planHash: '0123456789abcdef',
    plan: {},
    approvals: [],
    coordinatorId: 'elsewhere',
    now: new Date(),
  });
  const port = await etcd.open();
  try {
    const value = JSON.stringify({ ...begun, status: 'aborted' });
    await port.transact([], [{ kind: 'put', key: keys.operation(id), value }]);
    expect(await ask('operation', 'resume', id)).toMatchObject({
      status: 4,
      document: {
        ok: false,
        data: { changed: false, operation: { id } },
        error: { code: 'operation_aborted' },
      },
    });
  } finally {
    await port.transact([], [{ kind: 'delete', key: keys.operation(id) }]);
    port.close();
  }
});

test('a report that can not be written takes nothing from the verdict', async () => {
  const { status, document } = await ask('readiness', 'check', '--report', 'junit=no-such-folder/r.xml');
  expect({ status, document }).toMatchObject({
    status: 3,
    document: { data: { ready: false }, error: { code: 'not_ready' } },
  });
  expect(document.warnings).toEqual([expect.stringContaining('no-such-folder/r.xml')]);
});
