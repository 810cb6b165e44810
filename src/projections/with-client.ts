import type { Client } from 'pg';
import { closeConnection, connect } from '../postgres/connection.ts';
import { projectionsConnectOptions, type ProjectionsConnectOptions } from './connect-options.ts';

/** Runs `use` with one connection to the projections' Postgres. Throws what `connect` and `projectionsConnectOptions` throw. */
export async function withProjections<T>(
  options: ProjectionsConnectOptions,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(await projectionsConnectOptions(options));
  try {
    return await use(client);
  } finally {
    await closeConnection(client);
  }
}
