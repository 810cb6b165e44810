import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { request } from 'undici';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import { shardOf } from '../../src/domain/shard.ts';

const run = promisify(execFile);
const capstan = join(import.meta.dirname, '..', '..', 'bin', 'capstan');
const BENCH_ISSUERS = 480;
const SHARDS_OF_C1 = (shard: number) => shard % 2 === 0;

export interface BenchEstate {
  /** The gateway in the region of the measured leader. */
  readonly gatewayUrl: string;
  readonly deskKey: string;
  /** Issuers whose shards the measured leader owns, all with headroom beyond any run. */
  readonly coldIssuers: readonly string[];
  readonly hotIssuer: string;
  /** The measured leader as superuser. */
  readonly leaderUrl: string;
  readonly pgbench: string;
}

/** Joins the sandbox that CAPSTAN_SANDBOX names (bench/run.mjs starts one) and gives the benchmark's issuers limits. */
export async function openBenchEstate(): Promise<BenchEstate> {
  const name = process.env['CAPSTAN_SANDBOX'] ?? 'default';
  const { stdout } = await run(capstan, ['sandbox', 'env', '--name', name, '-o', 'json']);
  const { data } = JSON.parse(stdout) as { data: SandboxEnvironment };
  const gatewayUrl = data.gateways.find(({ region }) => region === 'new-york')?.url;
  const leaderUrl = data.postgres['c1-new-york-1']?.['superuser'];
  const deskKey = data.keys['desk-new-york'];
  const operatorKey = data.keys['operator'];
  if (
    gatewayUrl === undefined ||
    leaderUrl === undefined ||
    deskKey === undefined ||
    operatorKey === undefined
  ) {
    throw new Error(`sandbox ${name} lacks what the benchmark needs: ${Object.keys(data.keys).join(', ')}`);
  }
  const issuers = Array.from({ length: BENCH_ISSUERS }, (_, i) => `BENCH-${i}`).filter((issuer) =>
    SHARDS_OF_C1(shardOf(issuer, 480)),
  );
  await Promise.all(
    issuers.map(async (issuer) => {
      const response = await request(`${gatewayUrl}/issuers/${issuer}/limit`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ limit: '1000000000000000', reservation_token: `bench-${issuer}` }),
      });
      const text = await response.body.text();
      if (response.statusCode >= 300) throw new Error(`limit of ${issuer}: ${response.statusCode} ${text}`);
    }),
  );
  const [hotIssuer, ...coldIssuers] = issuers;
  if (hotIssuer === undefined) throw new Error('no issuer hashes to the measured leader');
  const binaries = await findPostgresBinaries({});
  return {
    gatewayUrl,
    deskKey,
    coldIssuers,
    hotIssuer,
    leaderUrl,
    pgbench: join(binaries.binDir, 'pgbench'),
  };
}

/** A database of the baselines' own on the measured leader: same disk, same follower, same settings. */
export async function baselineDatabase(
  estate: BenchEstate,
): Promise<{ url: string; drop: () => Promise<void> }> {
  const url = new URL(estate.leaderUrl);
  url.pathname = '/bench_baseline';
  const drop = () => statements(estate.leaderUrl, ['DROP DATABASE IF EXISTS bench_baseline WITH (FORCE)']);
  await drop();
  await statements(estate.leaderUrl, ['CREATE DATABASE bench_baseline']);
  await statements(url.href, [
    await readFile(join(import.meta.dirname, '..', 'sql', 'baseline.sql'), 'utf8'),
  ]);
  return { url: url.href, drop };
}

async function statements(url: string, texts: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}

/** Starts the naive service as a process of its own, like a gateway. */
export async function startNaiveService(
  databaseUrl: string,
): Promise<{ url: string; close: () => Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'naive-service.ts')], {
    env: { ...process.env, NAIVE_DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return {
      url: line,
      close: async () => {
        child.kill('SIGTERM');
        await ended;
      },
    };
  }
  throw new Error('the naive service ended before it listened');
}
