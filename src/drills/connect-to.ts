import { Client } from 'pg';
import { dropConnection } from '../postgres/connection.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';

const CONNECT_TIMEOUT_MS = 2_000;

/**
 * A connection to a member of a sandbox. A query that isn't answered in time rejects; the connection is then of no more
 * use. Rejects with pg's own error.
 */
export async function connectTo(options: {
  readonly environment: SandboxEnvironment;
  readonly member: string;
  readonly role: 'superuser' | 'reader';
  readonly queryTimeoutMs: number;
}): Promise<Client> {
  const { environment, member, role, queryTimeoutMs } = options;
  const url = environment.postgres[member]?.[role];
  if (url === undefined) throw new Error(`the sandbox has no ${role} at ${member}`);
  const client = new Client({
    connectionString: url,
    application_name: 'capstan-drill',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: queryTimeoutMs,
    statement_timeout: queryTimeoutMs,
  });
  // The query in flight rejects with the same error; without a listener the process would end.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    dropConnection(client);
    throw error;
  }
  return client;
}
