import type { Contract } from '../../domain/contract.ts';
import type { ClusterView } from '../cluster-view.ts';
import { isLeaderHealthy } from '../failover/candidates.ts';
import type { PlanRefusal } from '../failover/plan-types.ts';
import { topologyRefusal } from '../rpo-gate-standing.ts';

interface Standing {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly nowMs: number;
}

/** What etcd says against shards leaving or entering a cluster now, the most fundamental first. */
export function clusterRefusals(standing: Standing): readonly PlanRefusal[] {
  const { view, contract, nowMs } = standing;
  const authority = refusedByAuthority(view);
  if (authority !== undefined) return [authority];
  return [
    refusedByHealth(standing),
    refusedByDurability(view),
    refusedByMembers(view),
    topologyRefusal(view, contract, nowMs),
  ]
    .filter((refusal) => refusal !== undefined)
    .map((refusal) => Object.assign({ override: null }, refusal));
}

type Found = Omit<PlanRefusal, 'override'>;

function refusedByAuthority(view: ClusterView): PlanRefusal | undefined {
  const active = view.activeOperation?.value;
  if (active !== undefined)
    return {
      code: 'operation_active',
      message: `operation ${active} holds cluster ${view.name}`,
      override: null,
      next: `capstan operation resume ${active}`,
    };
  const phase = view.authority?.value.phase;
  if (phase === 'open' && view.membership !== undefined && view.authority?.value.leader !== null)
    return undefined;
  return {
    code: 'cluster_not_open',
    message: `cluster ${view.name} is ${phase === undefined ? 'not created' : `in phase ${phase}`}`,
    override: null,
    next: `capstan cluster show ${view.name}`,
  };
}

function refusedByHealth(standing: Standing): Found | undefined {
  const { view } = standing;
  if (isLeaderHealthy(standing)) return undefined;
  return {
    code: 'leader_unhealthy',
    message: `${view.authority?.value.leader ?? 'the leader'} of ${view.name} does not renew its lease or does not say that it leads`,
    next: `capstan failover plan ${view.name}`,
  };
}

function refusedByDurability(view: ClusterView): Found | undefined {
  const inSync = view.inSync?.value;
  if (inSync !== undefined && !inSync.degraded && inSync.voters.length > 0) return undefined;
  return {
    code: 'cluster_degraded',
    message: `cluster ${view.name} is degraded: what it takes over or hands over would stand on one member alone`,
    next: `capstan member list --cluster ${view.name}`,
  };
}

function refusedByMembers(view: ClusterView): Found | undefined {
  const [busy] = [
    ...[...view.memberOperations].map(([member, { value }]) => ({ member, operation: value })),
    ...[...view.rejoins].map(([member, { value }]) => ({ member, operation: value.operation })),
  ];
  if (busy === undefined) return undefined;
  return {
    code: 'member_changing',
    message: `operation ${busy.operation} changes ${busy.member} of ${view.name}`,
    next: `capstan operation resume ${busy.operation}`,
  };
}
