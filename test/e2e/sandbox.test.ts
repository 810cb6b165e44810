import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import { SandboxPaths } from '../../src/sandbox/folders.ts';
import { processesUnder } from '../../src/sandbox/process-table.ts';
import type { SandboxStatus } from '../../src/sandbox/status.ts';
import {
  capstan,
  capstanText,
  freshName,
  startSandbox,
  testStateDir,
  type TestSandbox,
} from '../support/sandbox.ts';

const READY = { timeout: 45_000, interval: 250 };
let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.down());

const pathsOf = (name: string) => new SandboxPaths(name, { CAPSTAN_STATE_DIR: testStateDir() });

async function status(): Promise<SandboxStatus> {
  return (await sandbox.capstan<SandboxStatus>(['sandbox', 'status'])).result.data;
}
const processOf = async (name: string) => (await status()).processes.find((one) => one.name === name);

function gatewayOf(region: string): string {
  const gateway = sandbox.environment.gateways.find((one) => one.region === region);
  if (gateway === undefined) throw new Error(`no gateway in ${region}`);
  return gateway.url;
}

async function readIssuer(region: string): Promise<number> {
  const response = await fetch(`${gatewayOf(region)}/issuers/MUNI-77`, {
    headers: { authorization: `Bearer ${sandbox.environment.keys[`desk-${region}`] ?? ''}` },
    signal: AbortSignal.timeout(8_000),
  });
  await response.arrayBuffer();
  return response.status;
}

test('up again changes nothing', async () => {
  const again = await sandbox.capstan(['sandbox', 'up']);
  expect([again.status, again.result.data['changed']]).toEqual([0, false]);
});

test('both clusters lead from their home region, with a recorded synchronous follower and a proved RPO claim', async () => {
  const { result } = await sandbox.capstan<{ clusters: { name: string; leader: string }[] }>(['status']);
  expect(result.data.clusters.map(({ name, leader }) => [name, leader])).toEqual([
    ['c1', 'c1-new-york-1'],
    ['c2', 'c2-madrid-1'],
  ]);
  expect((await status()).up).toBe(true);
});

test('what env prints is what psql, etcdctl and curl need', async () => {
  const { postgres, etcdEndpoints } = sandbox.environment;
  const client = new Client({ connectionString: postgres['c1-new-york-1']?.['reader'] });
  await client.connect();
  try {
    const { rows } = await client.query<{ limit_cents: string }>(
      `select limit_cents::text from capstan.issuer_exposure where issuer_id = 'MUNI-77'`,
    );
    expect(rows).toEqual([{ limit_cents: '100000000' }]);
  } finally {
    await client.end();
  }
  const health = await Promise.all(etcdEndpoints.map(async (url) => (await fetch(`${url}/health`)).json()));
  expect(health).toEqual([{ health: 'true' }, { health: 'true' }, { health: 'true' }]);
  expect(await readIssuer('madrid')).toBe(200);
});

test('a killed member is its whole host, and comes back as a follower in sync', async () => {
  const killed = await sandbox.capstan(['sandbox', 'kill', 'c1-new-york-2']);
  expect([killed.status, killed.result.data['changed']]).toEqual([0, true]);
  expect(await processesUnder(pathsOf(sandbox.name).home('c1-new-york-2'))).toEqual([]);
  expect(await processOf('c1-new-york-2')).toMatchObject({ state: 'stopped', postgres: 'stopped' });
  const again = await sandbox.capstan(['sandbox', 'kill', 'c1-new-york-2']);
  expect([again.status, again.result.data['changed']]).toEqual([0, false]);
  await sandbox.capstan(['sandbox', 'start', 'c1-new-york-2']);
  await vi.waitFor(async () => expect((await sandbox.capstan(['sandbox', 'up'])).status).toBe(0), READY);
  expect(await processOf('c1-new-york-2')).toMatchObject({ state: 'running', memberState: 'following' });
});

test('a paused Postgres stands still, its agent goes on, and it resumes', async () => {
  await sandbox.capstan(['sandbox', 'pause', 'c1-madrid-1', '--only', 'postgres']);
  expect(await processOf('c1-madrid-1')).toMatchObject({ state: 'running', postgres: 'paused' });
  await sandbox.capstan(['sandbox', 'resume', 'c1-madrid-1']);
  expect(await processOf('c1-madrid-1')).toMatchObject({ state: 'running', postgres: 'running' });
});

test('a cut between the regions stops what crosses it and nothing else, until it heals', async () => {
  await sandbox.capstan(['sandbox', 'link', 'cut', 'new-york', 'madrid']);
  expect(await readIssuer('new-york')).toBe(200);
  expect(await readIssuer('madrid')).toBe(503);
  const { disturbedLinks } = await status();
  expect(disturbedLinks?.map(({ from, to, cut }) => [from, to, cut])).toEqual([
    ['new-york', 'madrid', 'hold'],
    ['madrid', 'new-york', 'hold'],
  ]);
  await sandbox.capstan(['sandbox', 'link', 'heal']);
  await vi.waitFor(async () => expect(await readIssuer('madrid')).toBe(200), READY);
});

test.each([
  [['sandbox', 'kill', 'nobody'], 4, 'process_unknown'],
  [['sandbox', 'kill', 'link', '--only', 'agent'], 2, 'flags_conflict'],
  [['sandbox', 'link', 'cut', 'new-york', 'paris'], 2, 'link_unknown'],
  [['sandbox', 'up', '--wan', '7ms'], 4, 'sandbox_exists'],
  [['sandbox', 'status', '--name', 'no-such-one'], 4, 'sandbox_not_found'],
])('%j is refused with a code and the next step', async (args, exit, code) => {
  const { status: exited, result } = await sandbox.capstan(args);
  expect([exited, result.ok, result.error?.code]).toEqual([exit, false, code]);
  expect(result.error?.next).toEqual(expect.any(String));
});

/** Two regions that are far apart, and issuers of the user's own instead of the shipped ones. */
async function otherUp(name: string): Promise<readonly string[]> {
  const issuers = join(testStateDir(), 'issuers.csv');
  await writeFile(issuers, 'issuer_id,limit\nHARBOR-1,1234.50\n');
  return ['sandbox', 'up', '--name', name, '--issuers', issuers, '--wan', '5ms'];
}

test('two run at once, each as it was asked for; an up whose starter was killed goes on; nothing is left after down', async () => {
  const name = freshName();
  const paths = pathsOf(name);
  const starter = new AbortController();
  const interrupted = capstanText(await otherUp(name), { signal: starter.signal });
  await vi.waitFor(() => expect(existsSync(paths.record('c1-new-york-1'))).toBe(true), READY);
  starter.abort();
  expect((await interrupted).status).toBe(null);

  const up = await capstan<{ changed: boolean }>(['sandbox', 'up', '--name', name]);
  expect([up.status, up.result.data.changed]).toEqual([0, true]);
  const { result } = await capstan<SandboxEnvironment>(['sandbox', 'env', '--name', name]);
  expect(result.data.etcdEndpoints).not.toEqual(sandbox.environment.etcdEndpoints);
  expect((await status()).up).toBe(true);
  expect(await limitsIn(result.data)).toEqual([{ issuer_id: 'HARBOR-1', limit_cents: '123450' }]);
  const links = await capstan<{ links: { delayMs: number }[] }>(['sandbox', 'link', 'show', '--name', name]);
  expect(new Set(links.result.data.links.map(({ delayMs }) => delayMs))).toEqual(new Set([5]));

  const down = await capstan<{ changed: boolean }>(['sandbox', 'down', '--name', name]);
  expect([down.status, down.result.data.changed]).toEqual([0, true]);
  expect(await processesUnder(paths.folder)).toEqual([]);
  expect(existsSync(paths.folder)).toBe(false);
  const again = await capstan<{ changed: boolean }>(['sandbox', 'down', '--name', name]);
  expect([again.status, again.result.data.changed]).toEqual([0, false]);
});

/** What both clusters hold of issuers. */
async function limitsIn({ postgres }: SandboxEnvironment): Promise<unknown[]> {
  const rows = await Promise.all(
    ['c1-new-york-1', 'c2-madrid-1'].map(async (member) => {
      const client = new Client({ connectionString: postgres[member]?.['reader'] });
      await client.connect();
      const found = await client.query('select issuer_id, limit_cents::text from capstan.issuer_exposure');
      await client.end();
      return found.rows as unknown[];
    }),
  );
  return rows.flat();
}

test('down cleans up after a starter that was killed in the middle', async () => {
  const name = freshName();
  const paths = pathsOf(name);
  const starter = new AbortController();
  const interrupted = capstanText(['sandbox', 'up', '--name', name], { signal: starter.signal });
  // Late enough that Postgres is being made by then.
  await vi.waitFor(() => expect(existsSync(paths.data('c1-new-york-1'))).toBe(true), READY);
  starter.abort();
  await interrupted;
  expect((await capstan(['sandbox', 'down', '--name', name])).status).toBe(0);
  expect(await processesUnder(paths.folder)).toEqual([]);
  expect(existsSync(paths.folder)).toBe(false);
});
