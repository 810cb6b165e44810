import type { Client } from 'pg';
import { closeConnection, dropConnection } from '../../../postgres/connection.ts';
import { connectTo } from '../../connect-to.ts';
import type { Site } from './site.ts';

const QUERY_TIMEOUT_MS = 2_000;

/** What the gateways' connections to a leader do: all of them, or those whose commit waits for the follower. */
export async function gatewayBackends(
  client: Client,
  { waiting }: { readonly waiting: boolean },
): Promise<number[]> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend' and usename = 'capstan_gateway'
      ${waiting ? `and wait_event = 'SyncRep'` : ''} order by pid`,
  );
  return rows.map(({ pid }) => pid);
}

/** A short visit as the superuser. */
export async function visit<T>(
  { environment }: Site,
  member: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connectTo({
    environment,
    member,
    role: 'superuser',
    queryTimeoutMs: QUERY_TIMEOUT_MS,
  });
  try {
    const result = await use(client);
    await closeConnection(client);
    return result;
  } catch (error) {
    dropConnection(client);
    throw error;
  }
}
