import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Figures, percentile } from './stats.ts';

const run = promisify(execFile);

/** Fewer say nothing. */
const TRANSACTIONS_MIN = 100;

export interface PgbenchOptions {
  readonly binary: string;
  readonly databaseUrl: string;
  readonly script: string;
  readonly clients: number;
  readonly seconds: number;
}

/** Runs one pgbench phase and reads every transaction's own latency from its log. */
export async function pgbench(options: PgbenchOptions): Promise<Figures> {
  const { binary, databaseUrl, script, clients, seconds } = options;
  const folder = await mkdtemp(join(tmpdir(), 'capstan-pgbench-'));
  try {
    const args = ['-n', '-M', 'prepared', '-f', script, '-c', String(clients), '-j', '1'];
    await run(binary, [
      ...args,
      '-T',
      String(seconds),
      '-l',
      '--log-prefix',
      join(folder, 'log'),
      databaseUrl,
    ]);
    const logs = await Promise.all(
      (await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')),
    );
    const rows = logs.flatMap((log) => log.trim().split('\n')).map((line) => line.split(' ').map(Number));
    if (rows.length < TRANSACTIONS_MIN) throw new Error(`pgbench finished only ${rows.length} transactions`);
    // Counted from the first end to the last: opening many connections takes a good part of a short phase.
    const endsAt = rows.map((row) => (row[4] ?? 0) + (row[5] ?? 0) / 1e6);
    const latencies = rows.map((row) => (row[2] ?? 0) / 1_000);
    return {
      perSecond:
        rows.length / (endsAt.reduce((a, b) => Math.max(a, b)) - endsAt.reduce((a, b) => Math.min(a, b))),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
