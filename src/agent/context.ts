import type pg from 'pg';
import type { ClusterConfig, EstateConfig, MemberConfig } from '../config/estate-config.ts';
import type { Clock } from '../clock/clock.ts';
import type { Keys } from '../controlplane/keys.ts';
import type { Contract } from '../domain/contract.ts';
import { usageError } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { PostgresBinaries } from '../postgres/binaries.ts';
import { connectOptionsAs, splitEndpoint } from '../postgres/connect-as.ts';
import { connect } from '../postgres/connection.ts';
import type { OsAccount } from '../postgres/run-as.ts';
import type { AgentFiles } from './agent-files.ts';
import type { AgentLogger } from './logger.ts';
import type { Memory } from './memory.ts';

/** What every part of one agent shares, whatever stands behind its ports. */
export interface MemberContext {
  readonly cluster: string;
  readonly member: string;
  readonly region: string;
  /** Of Postgres, for heartbeats. */
  readonly version: string;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly contract: Contract;
  readonly memory: Memory;
  readonly logger: AgentLogger;
  readonly clock: Clock;
}

/** What those parts share that touch files and processes. */
export interface AgentContext extends MemberContext {
  readonly config: EstateConfig;
  readonly clusterConfig: ClusterConfig;
  readonly memberConfig: MemberConfig;
  readonly files: AgentFiles;
  readonly account: OsAccount | undefined;
  readonly binaries: PostgresBinaries;
}

export interface FoundMember {
  readonly cluster: string;
  readonly clusterConfig: ClusterConfig;
  readonly memberConfig: MemberConfig;
}

/** Throws `member_unknown` (exit 2). */
export function findMember(config: EstateConfig, member: string): FoundMember {
  for (const [cluster, clusterConfig] of Object.entries(config.clusters)) {
    const memberConfig = clusterConfig.members[member];
    if (memberConfig !== undefined) return { cluster, clusterConfig, memberConfig };
  }
  throw usageError(`${config.source} has no member ${member}`, { code: 'member_unknown' });
}

const CONNECT_TIMEOUT_MS = 2_000;

export interface LocalConnection {
  readonly role: 'superuser' | 'agent';
  readonly purpose: string;
  /** Whether its commits wait for followers as a client's do; the agent's own never should. */
  readonly waits?: boolean;
  readonly database?: string;
  readonly statementTimeoutMs?: number;
}

/** Connects to the Postgres beside this agent, at the address that it listens on. */
export async function connectLocally(
  context: Pick<AgentContext, 'config' | 'cluster' | 'member' | 'memberConfig'>,
  { role, purpose, waits = false, database, statementTimeoutMs = 10_000 }: LocalConnection,
): Promise<pg.Client> {
  const { config, cluster, member, memberConfig } = context;
  const { host, port } = splitEndpoint(memberConfig.listen);
  const options = await connectOptionsAs({
    config,
    role,
    cluster,
    member,
    region: memberConfig.region,
    applicationName: `capstan-agent ${purpose}`,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs,
    lockTimeoutMs: 5_000,
    ...(database === undefined ? {} : { database }),
  });
  const { mode } = config.postgres.tls;
  const client = await connect({
    ...options,
    host: WILDCARDS.has(host) ? '127.0.0.1' : host,
    port,
    // The certificate names the public address; this one never leaves the host.
    tls: { ...config.postgres.tls, mode: mode === 'disable' ? 'disable' : 'require' },
  });
  if (!waits) await client.query('set synchronous_commit = local');
  return client;
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '*']);
