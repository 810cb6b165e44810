import { addressFrom, type Viewpoint } from '../config/address-from.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import type { ProjectionsRole } from '../config/projections-config.ts';
import { readSecret } from '../config/secrets.ts';
import { usageError } from '../domain/errors.ts';
import { splitEndpoint } from '../postgres/connect-as.ts';
import type { ConnectOptions } from '../postgres/connection.ts';

export interface ProjectionsConnectOptions {
  readonly config: EstateConfig;
  readonly role: ProjectionsRole;
  /** The caller's region; undefined takes the default address. */
  readonly region?: Viewpoint;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** The projections' database unless given. */
  readonly database?: string;
}

/** The name of a role in the projections' Postgres. */
export const projectionsRoleName = (role: ProjectionsRole): string =>
  role === 'superuser' ? 'capstan_super' : `capstan_${role}`;

/**
 * What `connect` needs to reach the projections' Postgres under a role. Throws CapstanError `projections_missing` (exit 2) when
 * the configuration has none, and `secret_missing` (exit 2), also for a superuser that it doesn't name.
 */
export async function projectionsConnectOptions(options: ProjectionsConnectOptions): Promise<ConnectOptions> {
  const { config, role, region } = options;
  const { projections } = config;
  if (projections === undefined) throw projectionsMissing(config);
  const source = projections.passwords[role];
  const field = `projections.passwords.${role}`;
  if (source === undefined) {
    throw usageError(`${config.source} has no ${field}`, { code: 'secret_missing' });
  }
  return {
    ...splitEndpoint(addressFrom(projections.address, region)),
    user: projectionsRoleName(role),
    password: await readSecret(source, field),
    database: options.database ?? projections.database,
    tls: projections.tls,
    applicationName: options.applicationName,
    connectTimeoutMs: options.connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    lockTimeoutMs: options.lockTimeoutMs,
  };
}

/** The error of an estate that keeps no projections. */
export const projectionsMissing = (config: Pick<EstateConfig, 'source'>): Error =>
  usageError(`${config.source} has no \`projections\``, {
    code: 'projections_missing',
    next: 'docs/configuration.md shows what it holds',
  });
