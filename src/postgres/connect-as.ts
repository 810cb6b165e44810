import type pg from 'pg';
import { addressFrom, type Viewpoint } from '../config/address-from.ts';
import type { EstateConfig, PostgresRole } from '../config/estate-config.ts';
import { findMemberConfig } from '../config/member-config.ts';
import { readSecret } from '../config/secrets.ts';
import { connect, type ConnectOptions } from './connection.ts';

export interface ConnectAsOptions {
  readonly config: EstateConfig;
  readonly role: PostgresRole;
  readonly cluster: string;
  readonly member: string;
  /** The caller's region, or a member and its region, which decides the address; undefined takes the default one. */
  readonly region?: Viewpoint;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** The estate's database unless given. */
  readonly database?: string;
  readonly replication?: 'database' | 'true';
}

/** The name of a role in Postgres. */
export const roleName = (role: PostgresRole): string =>
  role === 'superuser' ? 'capstan_super' : `capstan_${role}`;

/** Opens one connection to a member under a role. Throws what `connect` and `readSecret` throw, and `member_unknown` (exit 2). */
export async function connectAs(options: ConnectAsOptions): Promise<pg.Client> {
  return connect(await connectOptionsAs(options));
}

/** What `connect` needs to reach a member under a role: its address from the region, and the role's password. */
export async function connectOptionsAs(options: ConnectAsOptions): Promise<ConnectOptions> {
  const { config, role, cluster, member, region, replication } = options;
  const { address } = await findMemberConfig(config, cluster, member);
  const { host, port } = splitEndpoint(addressFrom(address, region));
  return {
    host,
    port,
    user: roleName(role),
    password: await readSecret(config.postgres.passwords[role], `postgres.passwords.${role}`),
    database: options.database ?? config.postgres.database,
    tls: config.postgres.tls,
    applicationName: options.applicationName,
    connectTimeoutMs: options.connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    lockTimeoutMs: options.lockTimeoutMs,
    ...(replication === undefined ? {} : { replication }),
  };
}

/** `127.0.0.1:5501` or `[::1]:5501`, as the configuration's schema admits it. */
export function splitEndpoint(endpoint: string): { host: string; port: number } {
  const colon = endpoint.lastIndexOf(':');
  return { host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(endpoint.slice(colon + 1)) };
}
