import type { Clock } from '../../../clock/clock.ts';
import { refusedError } from '../../../domain/errors.ts';
import { type MoveRecord, otherOf } from '../../../domain/move-records.ts';
import type { AuthorityRecord } from '../../../domain/records.ts';
import type { EtcdReader } from '../../../etcd/port.ts';
import type { SqlClient } from '../../../postgres/sql-client.ts';
import type { Keys } from '../../keys.ts';
import { readRecord } from '../../store.ts';
import { readSnapshotRest } from './rest.ts';
import type { TwoSides } from './snapshot-pair.ts';

/** A connection to a member, as a role that reads all tables. */
export interface SideConnection {
  readonly client: SqlClient;
  /** Without a goodbye: a statement may still be running. */
  drop(): void;
}

export interface LeaderSidesOptions {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly connect: (cluster: string, member: string) => Promise<SideConnection>;
}

/**
 * The connections to the leaders of both sides of streams: one a cluster and term, kept until it is dropped, so that under a
 * seal nothing has to be opened. Whoever holds them is alone with them.
 */
export class LeaderSides {
  readonly #options: LeaderSidesOptions;
  readonly #open = new Map<string, Promise<SideConnection>>();

  constructor(options: LeaderSidesOptions) {
    this.#options = options;
  }

  /** Of the leg's own terms: what another leader holds proves nothing of this leg. Throws `move_leg_over` (exit 4). */
  async of(record: MoveRecord): Promise<TwoSides> {
    const side = async (cluster: string) => (await this.#connection(record, cluster)).client;
    const [owner, other] = await Promise.all([side(record.owner), side(otherOf(record))]);
    return { owner, other };
  }

  /** Waits while other's claim isn't advertised, or owner's commits are slow. */
  restOf(record: MoveRecord, signal: AbortSignal | undefined): () => Promise<void> {
    return readSnapshotRest({ ...this.#options, record, signal });
  }

  /** After a failure: their transactions may still be open. */
  drop(): void {
    const connections = [...this.#open.values()];
    this.#open.clear();
    for (const connection of connections)
      void connection.then(
        (opened) => opened.drop(),
        () => undefined,
      );
  }

  #connection(record: MoveRecord, cluster: string): Promise<SideConnection> {
    const term = record.terms?.[cluster];
    const name = `${cluster}@${String(term)}`;
    const held = this.#open.get(name);
    if (held !== undefined) return held;
    const opening = this.#connect(cluster, term);
    this.#open.set(name, opening);
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async #connect(cluster: string, term: number | undefined): Promise<SideConnection> {
    const { etcd, keys, connect } = this.#options;
    const authority = (await readRecord<AuthorityRecord>(etcd, keys.authority(cluster)))?.value;
    const leader = authority?.leader ?? null;
    if (authority === undefined || leader === null || authority.phase !== 'open' || authority.term !== term) {
      throw refusedError(
        `cluster ${cluster} is ${authority === undefined ? 'not created' : `in phase ${authority.phase} under term ${authority.term}`}; this leg was made under term ${String(term)}`,
        {
          code: 'move_leg_over',
          retryable: true,
          next: `capstan cluster show ${cluster}`,
          data: { cluster, term: term ?? null },
        },
      );
    }
    return connect(cluster, leader);
  }
}
