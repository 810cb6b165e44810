import type { Pool } from 'pg';
import type { EstateConfig } from '../config/estate-config.ts';
import type { Contract } from '../domain/contract.ts';
import { connectOptionsAs } from '../postgres/connect-as.ts';
import { createPool, dropConnection } from '../postgres/connection.ts';
import type { LeaderConnection } from './leader-connections.ts';

const CONNECTIONS_MAX = 8;
const WAITING_MAX = 1_000;
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Connections to members that follow, opened on demand, each in a pool of its member's. Whatever a member has become since, its
 * answer says under which authority it stands, or it refuses.
 */
export class FollowerConnections {
  readonly #options: FollowerConnectionsOptions;
  readonly #pools = new Map<string, Promise<Pool>>();
  #closed = false;

  constructor(options: FollowerConnectionsOptions) {
    this.#options = options;
  }

  /** Rejects when there is no connection to be had in time. */
  async take(cluster: string, member: string): Promise<LeaderConnection> {
    const pool = await this.#pool(cluster, member);
    if (pool.waitingCount >= WAITING_MAX) throw new Error(`too many wait to read at ${member}`);
    const client = await pool.connect();
    return {
      client,
      release: (as) => {
        if (as !== 'usable') dropConnection(client);
        client.release(as !== 'usable');
      },
    };
  }

  close(): void {
    this.#closed = true;
    for (const pool of this.#pools.values()) pool.then((opened) => opened.end()).catch(() => undefined);
    this.#pools.clear();
  }

  #pool(cluster: string, member: string): Promise<Pool> {
    if (this.#closed) return Promise.reject(new Error('the gateway is stopping'));
    const key = `${cluster}/${member}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const opening = this.#open(cluster, member);
    this.#pools.set(key, opening);
    opening.catch(() => this.#pools.delete(key));
    return opening;
  }

  async #open(cluster: string, member: string): Promise<Pool> {
    const { config, region, applicationName, contract } = this.#options;
    const { readMs, lockWaitMs } = contract.deadlines;
    const options = await connectOptionsAs({
      config,
      role: 'gateway',
      cluster,
      member,
      region,
      applicationName: `${applicationName}-follow`,
      connectTimeoutMs: Math.ceil(readMs / 4),
      statementTimeoutMs: Math.ceil(readMs / 2),
      lockTimeoutMs: lockWaitMs,
    });
    return createPool({ ...options, connectionsMax: CONNECTIONS_MAX, idleTimeoutMs: IDLE_TIMEOUT_MS });
  }
}

interface FollowerConnectionsOptions {
  readonly config: EstateConfig;
  readonly region: string;
  readonly applicationName: string;
  readonly contract: Contract;
}
