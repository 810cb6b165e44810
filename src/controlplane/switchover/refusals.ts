import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Candidates } from '../failover/candidates.ts';
import type { PlanRefusal } from '../failover/plan-types.ts';
import { topologyRefusal } from '../rpo-gate-standing.ts';

export interface RefusalInputs {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly sorted: Candidates;
  readonly leaderHealthy: boolean;
  readonly target: string | null;
  readonly acceptDegraded: boolean;
  /** Wall clock. */
  readonly nowMs: number;
  readonly pause: { readonly expectedMs: number | null; readonly budgetMs: number };
}

/** Everything that stands against a run, the most fundamental first. Empty: it may run. */
export function switchoverRefusals(inputs: RefusalInputs): readonly PlanRefusal[] {
  const authority = refusedByAuthority(inputs);
  if (authority !== undefined) return [authority];
  return [
    refusedByHealth(inputs),
    refusedByDurability(inputs) ?? refusedByCandidates(inputs) ?? refusedByTarget(inputs),
    refusedByPolicy(inputs),
    refusedByClaim(inputs),
    refusedByPause(inputs),
  ].filter((refusal) => refusal !== undefined);
}

function refusedByAuthority({ view }: RefusalInputs): PlanRefusal | undefined {
  const active = view.activeOperation?.value;
  if (active !== undefined) {
    return {
      code: 'operation_active',
      message: `operation ${active} holds cluster ${view.name}`,
      override: null,
      next: `capstan operation resume ${active}`,
    };
  }
  const phase = view.authority?.value.phase;
  if (phase === 'open' && view.membership !== undefined) return undefined;
  return {
    code: 'cluster_not_open',
    message: `cluster ${view.name} is ${phase === undefined ? 'not created' : `in phase ${phase}`}: there is no leader that could hand over`,
    override: null,
    next: `capstan cluster show ${view.name}`,
  };
}

function refusedByHealth({ view, leaderHealthy }: RefusalInputs): PlanRefusal | undefined {
  if (leaderHealthy) return undefined;
  const leader = view.authority?.value.leader ?? 'the leader';
  return {
    code: 'leader_unhealthy',
    message: `${leader} does not renew its lease or does not say that it leads: it can't hand anything over`,
    override: null,
    next: `capstan failover plan ${view.name}`,
  };
}

function refusedByDurability({ view }: RefusalInputs): PlanRefusal | undefined {
  const inSync = view.inSync?.value;
  if (inSync !== undefined && !inSync.degraded && inSync.voters.length > 0) return undefined;
  return {
    code: 'cluster_degraded',
    message: `cluster ${view.name} is degraded: no follower is known to hold every confirmed decision`,
    override: null,
    next: `capstan member list --cluster ${view.name}`,
  };
}

function refusedByCandidates({ view, sorted }: RefusalInputs): PlanRefusal | undefined {
  if (sorted.candidates.length > 0) return undefined;
  const why = sorted.excluded
    .filter(({ member }) => view.inSync?.value.voters.some((voter) => voter.member === member))
    .map(({ member, reasons }) => `${member}: ${reasons.join(', ')}`);
  return {
    code: 'no_candidate',
    message: `no recorded voter streams near the leader${why.length > 0 ? ` (${why.join('; ')})` : ''}`,
    override: null,
    next: `capstan member list --cluster ${view.name}`,
  };
}

function refusedByTarget({ view, sorted, target }: RefusalInputs): PlanRefusal | undefined {
  if (target === null || sorted.candidates.some(({ member }) => member === target)) return undefined;
  const reasons = sorted.excluded.find(({ member }) => member === target)?.reasons;
  return {
    code: 'target_not_candidate',
    message: `${target} can't lead: ${reasons?.join(', ') ?? `it is no member of cluster ${view.name}`}`,
    override: null,
    next: `leave the target out, or name one of: ${sorted.candidates.map(({ member }) => member).join(', ')}`,
  };
}

function refusedByPolicy({ view, contract, acceptDegraded }: RefusalInputs): PlanRefusal | undefined {
  if (contract.durability.openDegraded || acceptDegraded) return undefined;
  return {
    code: 'degraded_not_allowed',
    message:
      'the new leader opens before the old one has come back as its follower, and the contract forbids that',
    override: '--accept-degraded',
    next: `capstan switchover run ${view.name} --accept-degraded`,
  };
}

function refusedByClaim({ view, contract, nowMs }: RefusalInputs): PlanRefusal | undefined {
  const refusal = topologyRefusal(view, contract, nowMs);
  return refusal === undefined ? undefined : { ...refusal, override: null };
}

function refusedByPause({ view, pause }: RefusalInputs): PlanRefusal | undefined {
  const { expectedMs, budgetMs } = pause;
  if (expectedMs === null || expectedMs <= budgetMs) return undefined;
  return {
    code: 'pause_over_budget',
    message: `the last measured pause, ${formatDurationMs(expectedMs)}, is more than the budget of ${formatDurationMs(budgetMs)}`,
    override: '--pause-budget',
    next: `capstan switchover run ${view.name} --pause-budget ${formatDurationMs(Math.ceil(expectedMs * 1.5))}`,
  };
}
