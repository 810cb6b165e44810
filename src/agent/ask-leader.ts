import type pg from 'pg';
import { connectAs } from '../postgres/connect-as.ts';
import { closeConnection } from '../postgres/connection.ts';
import type { AgentContext } from './context.ts';

const STATEMENT_TIMEOUT_MS = 30_000;

/** Asks the leader's Postgres something as an agent. */
export async function askLeader<T>(
  { config, cluster, member, memberConfig }: AgentContext,
  leader: string,
  ask: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectAs({
    config,
    role: 'agent',
    cluster,
    member: leader,
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
