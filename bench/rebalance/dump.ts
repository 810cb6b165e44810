/** The baseline of a copy: `pg_dump | psql` of the same rows, from one leader into a new database on the other. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Client } from 'pg';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';

const DATABASE = 'bench_copy';
/** The tables that move with a shard; the dump makes them, and their keys after the rows. */
const TABLES = ['shard_head', 'issuer_exposure', 'reservation', 'reservation_token', 'outbox', 'lineage'];

async function query(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** How long it took, in milliseconds; the database is dropped again. */
export async function dumpAndRestore(fromUrl: string, toUrl: string): Promise<number> {
  const { binDir } = await findPostgresBinaries({});
  const target = new URL(toUrl);
  target.pathname = `/${DATABASE}`;
  await query(toUrl, `drop database if exists ${DATABASE} with (force)`);
  await query(toUrl, `create database ${DATABASE}`);
  await query(target.href, 'create schema capstan');
  const begun = performance.now();
  const tables = TABLES.flatMap((table) => ['-t', `capstan.${table}`]);
  const dump = spawn(join(binDir, 'pg_dump'), ['--no-owner', '--no-acl', ...tables, fromUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Triggers and what they call stay behind: they are no rows, and psql goes on past them.
  const restore = spawn(join(binDir, 'psql'), ['-q', '-X', target.href], {
    stdio: [dump.stdout, 'ignore', 'ignore'],
  });
  // The pipe is psql's from here on; as long as it is ours too, `close` of pg_dump doesn't come.
  dump.stdout.destroy();
  const [dumped] = await Promise.all([ended(dump), ended(restore)]);
  const tookMs = performance.now() - begun;
  await query(toUrl, `drop database ${DATABASE} with (force)`);
  if (dumped !== 0) throw new Error(`pg_dump ended with ${dumped}`);
  return tookMs;
}

const ended = (child: ReturnType<typeof spawn>): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
