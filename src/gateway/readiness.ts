import type { Contract } from '../domain/contract.ts';
import type { LeaseObserver } from './lease-observer.ts';
import type { RouteTable } from './route-table.ts';

export type PromiseName = 'decisions' | 'durability' | 'rpo';

interface PromiseState {
  readonly kept: boolean;
  readonly reason: string | null;
}

export interface ClusterReadiness {
  readonly cluster: string;
  readonly leader: string | null;
  readonly term: number | null;
  readonly promises: Readonly<Record<PromiseName, PromiseState>>;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reason: string | null;
  readonly view_age_ms: number | null;
  readonly clusters: readonly ClusterReadiness[];
}

export interface ReadinessOptions {
  readonly routes: RouteTable;
  readonly leases: LeaseObserver;
  readonly staleForMs: number;
  readonly contract: Contract;
  readonly cluster?: string | undefined;
  readonly promise?: PromiseName | undefined;
}

const kept: PromiseState = { kept: true, reason: null };
const broken = (reason: string): PromiseState => ({ kept: false, reason });

/**
 * Whether a load balancer should send work here. Asked of a cluster, it is about that cluster alone; asked of none, one
 * cluster that keeps the promise is enough: another one's trouble never drains the healthy shards. What isn't known isn't
 * ready. Undefined: there is no such cluster.
 */
export function readinessOf(options: ReadinessOptions): Readiness | undefined {
  const { routes, staleForMs, contract, cluster, promise = 'decisions' } = options;
  const age = Number.isFinite(staleForMs) ? Math.round(staleForMs) : null;
  const names = [...routes.view.clusters.keys()];
  if (cluster !== undefined && !names.includes(cluster)) return undefined;
  const clusters = names
    .filter((name) => cluster === undefined || name === cluster)
    .map((name) => clusterReadiness(options, name));
  const report = (reason: string | null): Readiness => ({
    ready: reason === null,
    reason,
    view_age_ms: age,
    clusters,
  });
  if (age === null || routes.view.estate === undefined) return report('no estate is known yet');
  if (age > contract.liveness.heartbeatTtlMs) return report(`etcd was last heard ${age} ms ago`);
  const states = clusters.map((entry) => entry.promises[promise]);
  if (states.some((state) => state.kept)) return report(null);
  return report(states[0]?.reason ?? 'there is no cluster');
}

function clusterReadiness({ routes, leases }: ReadinessOptions, cluster: string): ClusterReadiness {
  const { authority, inSync } = routes.view.clusters.get(cluster) ?? {};
  const leader = authority?.value.phase === 'open' ? authority.value.leader : null;
  return {
    cluster,
    leader,
    term: authority?.value.term ?? null,
    promises: {
      decisions:
        authority === undefined
          ? broken('no authority is recorded')
          : leader === null
            ? broken(`the cluster is ${authority.value.phase}: no leader may decide`)
            : leases.renewedRecently(cluster)
              ? kept
              : broken(`${leader} was not seen to renew its lease lately`),
      durability:
        inSync === undefined
          ? broken('no in-sync set is recorded')
          : inSync.value.degraded
            ? broken('the leader is its own durable set')
            : kept,
      rpo: rpoState(routes, cluster),
    },
  };
}

function rpoState(routes: RouteTable, cluster: string): PromiseState {
  const { claim, reason } = routes.claimOf(cluster);
  return claim === 'advertised' ? kept : broken(`${claim}: ${reason ?? 'no reason given'}`);
}
