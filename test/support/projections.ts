/** A projections database on a real Postgres: roles and schema ready, a store to write it, connections to look at it. */
import type { Client } from 'pg';
import type { LogEntry } from '../../src/domain/log-entry.ts';
import type { PoolOptions } from '../../src/postgres/connection.ts';
import { migrateProjections } from '../../src/projections/migrate.ts';
import { PostgresStore } from '../../src/projections/postgres-store.ts';
import { ensureProjectionRoles } from '../../src/projections/roles.ts';
import type { LineageEntry, ShardLog } from '../../src/domain/shard-log.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { lineageRow } from './log-model.ts';

const DATABASE = 'capstan_projections';

export interface TestProjections {
  readonly postgres: TestPostgres;
  readonly store: PostgresStore;
  readonly admin: Client;
  readonly poolOptions: (role: 'projector' | 'projections_reader') => PoolOptions;
  stop(): Promise<void>;
}

export async function startProjections(settings: Record<string, string> = {}): Promise<TestProjections> {
  const postgres = await startPostgres({ lease: false, settings });
  const root = await postgres.connect('superuser');
  await root.query(`create database ${DATABASE}`);
  const passwords = { projector: 'projector-password', projections_reader: 'projections_reader-password' };
  await ensureProjectionRoles({ client: root, passwords });
  const admin = await postgres.connect('superuser', { database: DATABASE });
  await migrateProjections({ client: admin });
  const poolOptions = (role: 'projector' | 'projections_reader'): PoolOptions => ({
    host: postgres.host,
    port: postgres.port,
    user: `capstan_${role}`,
    password: passwords[role],
    database: DATABASE,
    applicationName: 'test',
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 30_000,
    lockTimeoutMs: 1_000,
    connectionsMax: 4,
  });
  const store = await PostgresStore.open(poolOptions('projector'));
  return {
    postgres,
    store,
    admin,
    poolOptions,
    async stop() {
      await store.close();
      await postgres.stop();
    },
  };
}

/** What a source that holds `log` would answer when asked from a position. */
export function answerOf(
  shard: number,
  log: readonly LogEntry[],
  from: number,
  options: {
    readonly count?: number;
    readonly bound?: number;
    readonly lineage?: readonly LineageEntry[];
  } = {},
): ShardLog {
  const bound = options.bound ?? log.length;
  return {
    shard,
    head: String(log.length),
    bound: String(bound),
    at: null,
    previous: log[from - 1] ?? null,
    lineage: options.lineage ?? [lineageRow(1, 1, 1)],
    entries: log.slice(from, Math.min(bound, from + (options.count ?? log.length))),
  };
}

/** A log in pages, as a rebuild or a verification takes it. */
export async function* pagesOf(log: readonly LogEntry[], size = 100): AsyncGenerator<readonly LogEntry[]> {
  for (let i = 0; i < log.length; i += size) yield log.slice(i, i + size);
}
