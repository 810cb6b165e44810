import { readdir, readFile } from 'node:fs/promises';
import { type ClientBase, escapeIdentifier } from 'pg';
import { messageOf, refusedError } from '../domain/errors.ts';
import { sqlStateOf } from './connection.ts';

const FILE = /^(\d{3})-[a-z0-9-]+\.sql$/;
/** One migration of a schema at a time in a database, whoever runs it. */
const LOCK = 'select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext($1))';

export interface MigrateResult {
  /** Names of the files that were applied now, in order. */
  readonly applied: readonly string[];
  readonly version: number;
}

/**
 * Brings a schema up to date with the plain SQL files of a folder; repeats and concurrent runs are harmless. Needs the superuser, and
 * the schema's owner as a role. Each file is one transaction with its own record. Throws `migration_failed` (exit 4), and
 * `schema_newer` (exit 4) when the database holds a migration that this program doesn't know.
 */
export async function migrateFiles(options: {
  readonly client: ClientBase;
  /** A `file:` URL that ends in a slash. */
  readonly folder: URL;
  readonly schema: string;
  readonly owner: string;
}): Promise<MigrateResult> {
  const { client, folder } = options;
  const owner = escapeIdentifier(options.owner);
  const record = `${escapeIdentifier(options.schema)}.schema_migration`;
  const inTransaction = <T>(work: () => Promise<T>) =>
    transaction(client, `${options.schema}.schema_migration`, work);
  const files = await migrationFiles(folder);
  const known = Math.max(0, ...files.map(({ version }) => version));
  await inTransaction(async () => {
    await client.query(
      `create schema if not exists ${escapeIdentifier(options.schema)} authorization ${owner}`,
    );
    await client.query(
      `create table if not exists ${record} (
         version integer primary key, name text not null, applied_at timestamptz not null default now())`,
    );
    await client.query(`alter table ${record} owner to ${owner}`);
  });
  const applied: string[] = [];
  for (const file of files) {
    const done = await inTransaction(async () => {
      const { rows } = await client.query<{ version: number }>(
        `select version from ${record} order by version desc limit 1`,
      );
      const at = rows[0]?.version ?? 0;
      if (at > known) {
        throw refusedError(`the database's schema is at version ${at}; this program knows ${known}`, {
          code: 'schema_newer',
          next: 'use the newer version of Capstan',
        });
      }
      if (at >= file.version) return false;
      await client.query(await readFile(file.url, 'utf8'));
      await client.query(`insert into ${record} (version, name) values ($1, $2)`, [file.version, file.name]);
      return true;
    }).catch((error: unknown) => {
      throw sqlStateOf(error) === undefined ? error : failed(file.name, error);
    });
    if (done) applied.push(file.name);
  }
  return { applied, version: known };
}

interface MigrationFile {
  readonly version: number;
  readonly name: string;
  readonly url: URL;
}

async function migrationFiles(folder: URL): Promise<MigrationFile[]> {
  const files = (await readdir(folder)).toSorted().flatMap((name): MigrationFile[] => {
    const version = FILE.exec(name)?.[1];
    return version === undefined ? [] : [{ version: Number(version), name, url: new URL(name, folder) }];
  });
  if (files.length === 0) throw new Error(`no migrations in ${folder.pathname}`);
  return files;
}

async function transaction<T>(client: ClientBase, lock: string, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    await client.query(LOCK, [lock]);
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

function failed(name: string, error: unknown): Error {
  return refusedError(`migration ${name}: ${messageOf(error)}`, {
    code: 'migration_failed',
    data: { sqlState: sqlStateOf(error) ?? null },
    cause: error,
  });
}
