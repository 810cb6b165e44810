import type { Client } from 'pg';
import { escapeIdentifier } from 'pg';
import type { Viewpoint } from '../config/address-from.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import { readSecret } from '../config/secrets.ts';
import { sqlStateOf } from '../postgres/connection.ts';
import { projectionsMissing } from './connect-options.ts';
import { migrateProjections } from './migrate.ts';
import { ensureProjectionRoles } from './roles.ts';
import { withProjections } from './with-client.ts';

const DUPLICATE_DATABASE = '42P04';
const MAINTENANCE_DATABASE = 'postgres';
const LIMITS = { connectTimeoutMs: 5_000, statementTimeoutMs: 60_000, lockTimeoutMs: 10_000 };

export interface InitProjectionsOptions {
  readonly config: EstateConfig;
  readonly region?: Viewpoint;
}

export interface InitializedProjections {
  readonly database: string;
  readonly created: boolean;
  /** The migrations that were applied now. */
  readonly applied: readonly string[];
  readonly version: number;
}

/**
 * Makes the projections' database, its roles and its tables, or brings them up to date; repeats are harmless. Needs
 * `projections.passwords.superuser`. Throws `projections_missing`, `secret_missing` (exit 2), `postgres_unreachable` (exit 7), and what
 * `migrateProjections` throws.
 */
export async function initProjections({
  config,
  region,
}: InitProjectionsOptions): Promise<InitializedProjections> {
  const { projections } = config;
  if (projections === undefined) throw projectionsMissing(config);
  const { database, passwords } = projections;
  const [projector, reader] = await Promise.all([
    readSecret(passwords.projector, 'projections.passwords.projector'),
    readSecret(passwords.projections_reader, 'projections.passwords.projections_reader'),
  ]);
  const asSuperuser = {
    config,
    role: 'superuser' as const,
    applicationName: 'capstan-projections-init',
    ...LIMITS,
    ...(region === undefined ? {} : { region }),
  };
  const created = await withProjections(
    { ...asSuperuser, database: MAINTENANCE_DATABASE },
    async (client) => {
      await ensureProjectionRoles({ client, passwords: { projector, projections_reader: reader } });
      return createDatabase(client, database);
    },
  );
  return withProjections(asSuperuser, async (client) => {
    const { applied, version } = await migrateProjections({ client });
    return { database, created, applied, version };
  });
}

async function createDatabase(client: Client, database: string): Promise<boolean> {
  try {
    await client.query(`create database ${escapeIdentifier(database)}`);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === DUPLICATE_DATABASE) return false;
    throw error;
  }
}
