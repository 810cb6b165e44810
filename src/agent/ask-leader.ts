import type pg from 'pg';
import type { PostgresRole } from '../config/estate-config.ts';
import { connectAs } from '../postgres/connect-as.ts';
import { closeConnection } from '../postgres/connection.ts';
import type { AgentContext } from './context.ts';

const STATEMENT_TIMEOUT_MS = 30_000;

/** Asks the leader's Postgres something, as an agent where no other role is named. */
export async function askLeader<T>(
  { config, cluster, member, memberConfig }: AgentContext,
  leader: string | { readonly member: string; readonly role: PostgresRole },
  ask: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { member: source, role } =
    typeof leader === 'string' ? { member: leader, role: 'agent' as const } : leader;
  const client = await connectAs({
    config,
    role,
    cluster,
    member: source,
    region: [member, memberConfig.region],
    applicationName: `capstan-agent ${member} rejoin`,
    connectTimeoutMs: 3_000,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: 0,
  });
  try {
    return await ask(client);
  } finally {
    await closeConnection(client);
  }
}
