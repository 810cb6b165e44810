import type { Contract, RpoAction } from '../domain/contract.ts';
import type { ClaimStatus } from '../domain/rpo-claim.ts';
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
  readonly rpo: RpoReport;
}

/** The RPO of a cluster as machines read it; null: not known. */
export interface RpoReport {
  readonly claim: ClaimStatus;
  readonly reason: string | null;
  readonly lag_ms: number | null;
  readonly budget_ms: number | null;
  readonly valid_until: string | null;
  /** What is done above the gate, and whether it is done now. */
  readonly action: RpoAction | null;
  readonly acts: boolean;
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

function clusterReadiness(options: ReadinessOptions, cluster: string): ClusterReadiness {
  const { routes } = options;
  const { authority, inSync } = routes.view.clusters.get(cluster) ?? {};
  const leader = authority?.value.phase === 'open' ? authority.value.leader : null;
  const rpo = rpoReport(routes, cluster);
  return {
    cluster,
    leader,
    term: authority?.value.term ?? null,
    promises: {
      decisions: decisionState(options, cluster, rpo),
      durability:
        inSync === undefined
          ? broken('no in-sync set is recorded')
          : inSync.value.degraded
            ? broken('the leader is its own durable set')
            : kept,
      rpo: rpo.claim === 'advertised' ? kept : broken(rpoWords(rpo)),
    },
    rpo,
  };
}

function decisionState({ routes, leases }: ReadinessOptions, cluster: string, rpo: RpoReport): PromiseState {
  const authority = routes.view.clusters.get(cluster)?.authority?.value;
  if (authority === undefined) return broken('no authority is recorded');
  const { phase, leader } = authority;
  if (phase !== 'open' || leader === null) return broken(`the cluster is ${phase}: no leader may decide`);
  if (!leases.renewedRecently(cluster)) return broken(`${leader} was not seen to renew its lease lately`);
  if (rpo.acts && rpo.action === 'close') return broken(`the RPO gate refuses decisions: ${rpoWords(rpo)}`);
  return kept;
}

const rpoWords = ({ claim, reason }: RpoReport): string => `${claim}: ${reason ?? 'no reason given'}`;

function rpoReport(routes: RouteTable, cluster: string): RpoReport {
  const rpo = routes.rpoOf(cluster);
  return {
    claim: rpo?.claim ?? 'unknown',
    reason: rpo === undefined ? 'nothing was published yet' : rpo.reason,
    lag_ms: rpo?.lagMs ?? null,
    budget_ms: rpo?.budgetMs ?? null,
    valid_until: rpo?.validUntil ?? null,
    action: rpo?.action ?? null,
    acts: rpo?.acts ?? true,
  };
}
