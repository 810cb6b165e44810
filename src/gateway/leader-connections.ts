import type { ClientBase, Pool, PoolClient } from 'pg';
import type { EstateConfig } from '../config/estate-config.ts';
import type { Contract } from '../domain/contract.ts';
import { connectOptionsAs } from '../postgres/connect-as.ts';
import { createPool, dropConnection } from '../postgres/connection.ts';
import { Permits } from './permits.ts';

/** Each purpose has its own bound, so that a flood of one can't starve the others. */
export type Purpose = 'decide' | 'resolve' | 'ask' | 'read';

/**
 * Connections to one leader, by purpose: to decide, to resolve what a lost reply left unknown, for callers that ask for a
 * token, to read. More batches at once add queueing in Postgres; bench/decide
 * shows what they bring.
 */
export const CONNECTIONS_MAX: Readonly<Record<Purpose, number>> = {
  decide: 24,
  resolve: 3,
  ask: 3,
  read: 5,
};
/** Opened to the next leader before it leads: the first batches then don't wait for a handshake. */
const WARM = 4;
const WAITING_MAX = 1_000;
const BUSY_MAX_MS = 120_000;

/**
 * How a connection comes back. `busy`: its reply is still out; it keeps its place in the pool until the reply comes or
 * it is cut, because Postgres keeps a backend whose commit waits for a follower, whoever hangs up.
 */
export type ReturnedAs = 'usable' | 'busy' | 'broken';

export interface LeaderConnection {
  readonly client: ClientBase;
  release(as: ReturnedAs): void;
}

/** How a connection comes back after a call through src/reservations/client.ts. */
export function returnedAs(
  result: Readonly<{ kind: string; why?: string; connectionUsable?: boolean }>,
): ReturnedAs {
  if (result.connectionUsable !== false) return 'usable';
  return result.why === 'deadline' ? 'busy' : 'broken';
}

export interface LeaderConnectionsOptions {
  readonly config: EstateConfig;
  readonly region: string;
  readonly applicationName: string;
  readonly contract: Contract;
}

/**
 * Connections to the leaders, opened on demand. When a cluster has another leader, those to the former one are cut:
 * whatever they still carried is unknown, and the new authority is asked.
 */
export class LeaderConnections {
  readonly #options: LeaderConnectionsOptions;
  readonly #leaders = new Map<string, LeaderPools>();
  /** By cluster: to a member that is about to lead. */
  readonly #coming = new Map<string, LeaderPools>();
  readonly #permits = new Map<string, Permits>();

  constructor(options: LeaderConnectionsOptions) {
    this.#options = options;
  }

  /** How many batches may be under way towards a cluster, whoever leads it. */
  permits(cluster: string): Permits {
    const known = this.#permits.get(cluster);
    if (known !== undefined) return known;
    const permits = new Permits(CONNECTIONS_MAX.decide);
    this.#permits.set(cluster, permits);
    return permits;
  }

  /** Rejects when there is no connection to be had in time: nothing was sent. */
  async take(cluster: string, member: string, purpose: Purpose): Promise<LeaderConnection> {
    let pools = this.#leaders.get(cluster);
    if (pools === undefined || pools.member !== member) {
      pools?.retire();
      pools = this.#comingTo(cluster, member) ?? new LeaderPools(this.#options, cluster, member);
      this.#leaders.set(cluster, pools);
    }
    return pools.take(purpose);
  }

  /** Tells of a cluster's present leader, so that connections to a former one end now and not at the next request. */
  follow(cluster: string, leader: string | null): void {
    const pools = this.#leaders.get(cluster);
    if (leader === null || pools === undefined || pools.member === leader) return;
    this.#leaders.delete(cluster);
    pools.retire();
  }

  /** Opens connections to a member that is to lead next; null: nobody is. One that leads by then keeps them. */
  expect(cluster: string, member: string | null): void {
    const coming = this.#coming.get(cluster);
    if (coming?.member === member || this.#leaders.get(cluster)?.member === member) return;
    coming?.retire();
    this.#coming.delete(cluster);
    if (member === null) return;
    const pools = new LeaderPools(this.#options, cluster, member);
    this.#coming.set(cluster, pools);
    pools.warmUp();
  }

  close(): void {
    for (const pools of [...this.#leaders.values(), ...this.#coming.values()]) pools.retire();
    this.#leaders.clear();
    this.#coming.clear();
  }

  #comingTo(cluster: string, member: string): LeaderPools | undefined {
    const coming = this.#coming.get(cluster);
    if (coming?.member !== member) return undefined;
    this.#coming.delete(cluster);
    return coming;
  }
}

class LeaderPools {
  readonly member: string;
  readonly #options: LeaderConnectionsOptions;
  readonly #cluster: string;
  readonly #pools = new Map<Purpose, Promise<Pool>>();
  readonly #lent = new Set<PoolClient>();
  #retired = false;

  constructor(options: LeaderConnectionsOptions, cluster: string, member: string) {
    this.#options = options;
    this.#cluster = cluster;
    this.member = member;
  }

  async take(purpose: Purpose): Promise<LeaderConnection> {
    const pool = await this.#pool(purpose);
    if (pool.waitingCount >= WAITING_MAX) throw new Error(`too many wait to ${purpose}`);
    const client = await pool.connect();
    if (this.#retired) {
      client.release(true);
      throw new Error(`${this.member} no longer leads`);
    }
    this.#lent.add(client);
    return {
      client,
      release: (as) => {
        if (as === 'busy' && !this.#retired) this.#park(client);
        else this.#giveBack(client, as === 'usable');
      },
    };
  }

  /** Best effort: who can't be reached yet is tried again when there is something to send. */
  warmUp(): void {
    void this.#openSome();
  }

  async #openSome(): Promise<void> {
    const opening = Array.from({ length: WARM }, () => this.take('decide').catch(() => undefined));
    for (const connection of await Promise.all(opening)) connection?.release('usable');
  }

  #giveBack(client: PoolClient, usable: boolean): void {
    this.#lent.delete(client);
    if (!usable) dropConnection(client);
    client.release(!usable);
  }

  #park(client: PoolClient): void {
    const done = (usable: boolean) => {
      clearTimeout(timer);
      client.off('drain', onDrain);
      client.off('end', onEnd);
      this.#giveBack(client, usable);
    };
    const onDrain = () => done(true);
    const onEnd = () => done(false);
    const timer = setTimeout(onEnd, BUSY_MAX_MS);
    client.once('drain', onDrain);
    client.once('end', onEnd);
  }

  retire(): void {
    this.#retired = true;
    for (const client of this.#lent) dropConnection(client);
    for (const pool of this.#pools.values()) pool.then((opened) => opened.end()).catch(() => {});
    this.#pools.clear();
  }

  #pool(purpose: Purpose): Promise<Pool> {
    const known = this.#pools.get(purpose);
    if (known !== undefined) return known;
    const opening = this.#open(purpose);
    this.#pools.set(purpose, opening);
    // A secret that can't be read now may be readable at the next try.
    opening.catch(() => this.#pools.delete(purpose));
    return opening;
  }

  async #open(purpose: Purpose): Promise<Pool> {
    const { config, region, applicationName, contract } = this.#options;
    const { decisionMs, lockWaitMs, readMs } = contract.deadlines;
    const options = await connectOptionsAs({
      config,
      role: 'gateway',
      cluster: this.#cluster,
      member: this.member,
      region,
      applicationName: `${applicationName}-${purpose}`,
      connectTimeoutMs: Math.ceil(decisionMs / 2),
      statementTimeoutMs: purpose === 'read' ? readMs : decisionMs,
      lockTimeoutMs: lockWaitMs,
    });
    return createPool({ ...options, connectionsMax: CONNECTIONS_MAX[purpose], idleTimeoutMs: 60_000 });
  }
}
