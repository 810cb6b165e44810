import type { Clock } from '../clock/clock.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { type ClusterView, clusterOfKey, clusterViewFrom, emptyClusterView } from './cluster-view.ts';
import { EMPTY_ESTATE_VIEW, type EstateView, nextEstateView } from './estate-snapshot.ts';
import type { Keys } from './keys.ts';
import type { WatchReport } from './live-records.ts';
import { LiveView } from './live-view.ts';

export type { EstateView } from './estate-snapshot.ts';
export type EstateWatch = LiveView<EstateView>;
export type ClusterWatch = LiveView<ClusterView>;

export interface WatchEstateOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  /** Whether clusters show their members' heartbeats (several changes a second); default false. */
  readonly heartbeats?: boolean;
  /** Told of everything that was not believed. */
  readonly onReport?: (report: WatchReport) => void;
  /** Told of each break of the connection; the watch mends itself. */
  readonly onBreak?: (error: unknown) => void;
  /** The one that the port's proofs are told on; default: this process's. */
  readonly clock?: Clock;
}

/** Follows a whole estate. Resolves with the first view; throws `etcd_unreachable` when there is none in time. */
export function watchEstate(options: WatchEstateOptions): Promise<EstateWatch> {
  const { etcd, keys, heartbeats = false, onReport, onBreak, clock } = options;
  const shown = (key: string) => heartbeats || !key.startsWith(heartbeatsOf(keys, key));
  return LiveView.open<EstateView>({
    etcd,
    keys,
    prefix: keys.live,
    initial: EMPTY_ESTATE_VIEW,
    onReport,
    onBreak,
    clock,
    next: (view, changed, records) => nextEstateView({ keys, view, changed, records, shown }),
  });
}

/** Follows one cluster with all that its agents need, heartbeats included. */
export function watchCluster(
  options: Omit<WatchEstateOptions, 'heartbeats'> & { readonly cluster: string },
): Promise<ClusterWatch> {
  const { etcd, keys, cluster, onReport, onBreak, clock } = options;
  return LiveView.open<ClusterView>({
    etcd,
    keys,
    // The whole estate's prefix, so that another incarnation of the estate shows here too.
    prefix: keys.live,
    initial: emptyClusterView(cluster),
    onReport,
    onBreak,
    clock,
    next: (view, changed, records) => {
      const prefix = keys.cluster(cluster);
      if (![...changed].some((key) => key.startsWith(prefix))) return view;
      return clusterViewFrom({ keys, cluster, kvs: records.ofCluster(cluster) });
    },
  });
}

/** The heartbeat prefix of the cluster that a key belongs to; a prefix of no key when it belongs to none. */
function heartbeatsOf(keys: Keys, key: string): string {
  const cluster = clusterOfKey(keys, key);
  return cluster === undefined ? '\u{10ffff}' : keys.heartbeats(cluster);
}
