import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateView } from '../controlplane/estate-snapshot.ts';
import { type RpoStanding, rpoStanding } from '../controlplane/rpo-gate-standing.ts';
import type { RpoAction } from '../domain/contract.ts';
import type { ShardState } from '../domain/records.ts';
import { shardOf, type ShardId } from '../domain/shard.ts';
import type { Scope } from '../reservations/types.ts';

/** Where a shard's decisions are made, and under what authority, as this gateway last learned. */
export interface ShardRoute {
  readonly scope: Scope;
  readonly state: ShardState;
  /** The member that may hold the lease; null while there is none. */
  readonly leader: string | null;
  /** Why there is no leader, for a person. */
  readonly absent: string | null;
  /** An operation is changing the leader at this moment: who waits for it is served by the next one. */
  readonly changing: boolean;
}

/** What the routes are made from: a live view in a gateway, one reading in the command line. It never goes backwards. */
export interface RouteSource {
  current(): EstateView;
  onChange(listener: (view: EstateView) => void): () => void;
}

interface Seen {
  readonly route: ShardRoute;
  readonly shard: string;
  readonly authority: string;
  readonly membership: string;
}

/**
 * From an issuer to its shard's authority. A route object stays the same while its shard and its cluster's authority and
 * membership do, so that "has it changed?" is one comparison.
 */
export class RouteTable {
  readonly #source: RouteSource;
  readonly #routes = new Map<ShardId, Seen>();
  readonly #quiet = new Map<string, { readonly view: ClusterView; readonly untilMs: number }>();

  constructor(source: RouteSource) {
    this.#source = source;
  }

  get view(): EstateView {
    return this.#source.current();
  }

  /** Undefined while the estate isn't known. */
  shardOf(issuer: string): ShardId | undefined {
    const estate = this.view.estate;
    return estate === undefined ? undefined : shardOf(issuer, estate.value.shardCount);
  }

  routeOf(shard: ShardId): ShardRoute | undefined {
    const { shards, clusters } = this.view;
    const entry = shards.get(shard);
    if (entry === undefined) return undefined;
    const { authority, membership } = clusters.get(entry.value.cluster) ?? {};
    if (authority === undefined || membership === undefined) return undefined;
    const seen = this.#routes.get(shard);
    if (
      seen?.shard === entry.revision &&
      seen.authority === authority.revision &&
      seen.membership === membership.revision
    ) {
      return seen.route;
    }
    const { cluster, generation, state } = entry.value;
    const { phase, leader, term, operation } = authority.value;
    const held = phase === 'open' ? leader : null;
    const because = operation === null ? '' : ` (operation ${operation})`;
    const route: ShardRoute = Object.freeze({
      scope: Object.freeze({ cluster, epoch: membership.value.epoch, shard, generation, term }),
      state,
      leader: held,
      changing: held === null && operation !== null,
      absent: held === null ? `cluster ${cluster} is ${phase} under term ${term}${because}` : null,
    });
    this.#routes.set(shard, {
      route,
      shard: entry.revision,
      authority: authority.revision,
      membership: membership.revision,
    });
    return route;
  }

  /** What may be said of a cluster's RPO claim at this moment, and what is done about it; undefined: nothing is known. */
  rpoOf(cluster: string): RpoStanding | undefined {
    const { clusters, contract } = this.view;
    const view = clusters.get(cluster);
    if (view === undefined || contract === undefined) return undefined;
    return rpoStanding(view, contract.value, Date.now());
  }

  /** What the RPO gate does to a cluster now; `none`: nothing. */
  actionOf(cluster: string): RpoAction | 'none' | 'unknown' {
    const view = this.view.clusters.get(cluster);
    const quiet = this.#quiet.get(cluster);
    // Each answer asks: what was read of this very view holds until its claim lapses.
    if (quiet !== undefined && quiet.view === view && Date.now() < quiet.untilMs) return 'none';
    const standing = this.rpoOf(cluster);
    if (view === undefined || standing === undefined) return 'unknown';
    if (standing.acts) return standing.action;
    const { validUntil } = standing;
    this.#quiet.set(cluster, { view, untilMs: validUntil === null ? Infinity : Date.parse(validUntil) });
    return 'none';
  }

  /** How many decisions a second the RPO gate leaves this gateway; undefined: it slows nothing. */
  paceOf(cluster: string): number | undefined {
    if (this.actionOf(cluster) !== 'throttle') return undefined;
    return this.rpoOf(cluster)?.decisionsPerSecond ?? undefined;
  }

  /** Resolves when the shard's route is another one than `route`, or after `timeoutMs`. */
  async changed(shard: ShardId, route: ShardRoute | undefined, timeoutMs: number): Promise<void> {
    if (this.routeOf(shard) !== route) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#source.onChange(() => {
      if (this.routeOf(shard) !== route) resolve();
    });
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    stop();
  }
}
