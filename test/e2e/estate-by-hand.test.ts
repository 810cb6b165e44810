import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { findFreePorts } from '../../src/sandbox/ports.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { report } from '../support/proof.ts';
import { capstan, freshName, testStateDir } from '../support/sandbox.ts';

const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];
const WHOLE_WITHIN_MS = 60_000;
const built = process.env['CAPSTAN_TEST_DIST'] === '1';
const program = fileURLToPath(new URL(`../../bin/${built ? 'run' : 'dev'}.js`, import.meta.url));

let folder: string;
let etcd: TestEtcd;
let gatewayUrl: string;
const daemons: { readonly child: ChildProcess; readonly log: string }[] = [];

const member = (name: string, port: number | undefined) => ({
  region: 'harbor',
  role: 'voter',
  dataDir: `members/${name}/data`,
  listen: `127.0.0.1:${port}`,
  address: { default: `127.0.0.1:${port}` },
});

/** One host's worth of files: what an operator writes before the first command. */
beforeAll(async () => {
  folder = join(testStateDir(), freshName());
  await mkdir(join(folder, 'secrets'), { recursive: true, mode: 0o755 });
  etcd = await startEtcd();
  const [leader, voter, gateway] = await findFreePorts(3, new Set());
  gatewayUrl = `http://127.0.0.1:${gateway}`;
  const estate = {
    estate: 'by-hand',
    etcd: { endpoints: { default: etcd.endpoints } },
    postgres: {
      passwords: Object.fromEntries(
        ROLES.map((role) => [role, role === 'reader' ? { env: 'HAND_READER' } : { file: `secrets/${role}` }]),
      ),
    },
    contract: fileURLToPath(new URL('../../contract.yaml', import.meta.url)),
    clusters: {
      quay: {
        homeRegion: 'harbor',
        bootstrapMember: 'quay-1',
        members: { 'quay-1': member('quay-1', leader), 'quay-2': member('quay-2', voter) },
      },
    },
    gateways: {
      harbor: {
        region: 'harbor',
        listen: `127.0.0.1:${gateway}`,
        keysFile: 'secrets/keys.json',
        url: gatewayUrl,
      },
    },
  };
  for (const role of ROLES)
    await writeFile(join(folder, 'secrets', role), `${freshName()}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'capstan.yaml'), stringify(estate));
});

afterAll(async () => {
  for (const { child } of daemons.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  await etcd?.stop();
});

const environment = () => ({ CAPSTAN_CONFIG: join(folder, 'capstan.yaml'), HAND_READER: 'read-by-hand' });

async function run<T = Record<string, unknown>>(...words: string[]): Promise<T> {
  const { result } = await capstan<T>(words, { environment: environment() });
  if (!result.ok) throw new Error(`capstan ${words.join(' ')}: ${JSON.stringify(result.error)}`);
  return result.data;
}

/** Under a service manager this would be a unit of its own. */
function daemon(...words: string[]): void {
  const log = join(folder, `${words.join('-')}.log`);
  const output = openSync(log, 'a');
  const child = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    env: { ...process.env, ...environment() },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  daemons.push({ child, log });
}

const whole = async <T>(what: string, check: () => Promise<T>): Promise<T> => {
  try {
    return await vi.waitFor(check, { timeout: WHOLE_WITHIN_MS, interval: 250 });
  } catch (error) {
    const logs = daemons.map(({ log }) => `${log}:\n${readFileSync(log, 'utf8').slice(-1_500)}`);
    throw new Error(`${what}: ${String(error)}\n${logs.join('\n')}`, { cause: error });
  }
};

async function ask(method: string, path: string, options: { key: string; body: unknown }) {
  const response = await fetch(`${gatewayUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${options.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(options.body),
    signal: AbortSignal.timeout(5_000),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('an estate built by hand from one capstan.yaml takes a reservation', async (context) => {
  expect(await run('init', '--shards', '16')).toMatchObject({ changed: true, shardCount: 16 });
  expect(await run('cluster', 'create', 'quay')).toMatchObject({ changed: true, bootstrapMember: 'quay-1' });
  const { key } = await run<{ key: string }>('gateway', 'key', 'rates', '--gateway', 'harbor');
  const { key: operator } = await run<{ key: string }>(
    'gateway',
    'key',
    'ops',
    '--operator',
    '--gateway',
    'harbor',
  );
  daemon('agent', 'run', 'quay-1');
  daemon('agent', 'run', 'quay-2');
  daemon('gateway', 'run', 'harbor');

  await whole('a limit', async () => {
    const body = { limit: '100.00', reservation_token: 'first-limit' };
    expect(await ask('PUT', '/issuers/ACME/limit', { key: operator, body })).toMatchObject({ status: 200 });
  });
  const reserved = await whole('a reservation', async () => {
    const body = { issuer_id: 'ACME', notional: '60', reservation_token: 'first' };
    const answer = await ask('POST', '/reservations', { key, body });
    expect(answer.body).toMatchObject({ status: 'confirmed', remaining: '40.00' });
    return answer.body;
  });
  const second = { issuer_id: 'ACME', notional: '60', reservation_token: 'second' };
  expect(await ask('POST', '/reservations', { key, body: second })).toMatchObject({
    status: 409,
    body: { status: 'rejected', reason: 'insufficient_headroom' },
  });
  expect(await run('token', 'resolve', 'first', '--issuer', 'ACME')).toMatchObject({ status: 'confirmed' });
  // The second member was recorded in sync before the first decision: it is no spare, it has the reservation.
  expect(await run('cluster', 'show', 'quay')).toMatchObject({
    leader: 'quay-1',
    term: 1,
    durability: { voters: ['quay-2'], degraded: false },
  });
  expect(await run('init', '--shards', '16')).toMatchObject({ changed: false });
  report(context, `1 etcd, a leader and a voter, 1 gateway; ${String(reserved['commit_token'])}`);
});
