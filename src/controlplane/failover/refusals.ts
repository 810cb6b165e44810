import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Candidates } from './candidates.ts';
import type { PlanRefusal } from './plan-types.ts';

export interface RefusalInputs {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly sorted: Candidates;
  readonly leaderHealthy: boolean;
  readonly needed: number;
  readonly target: string | null;
  readonly force: boolean;
  readonly acceptDegraded: boolean;
}

/** Everything that stands against a run, the most fundamental first. Empty: it may run. */
export function planRefusals(inputs: RefusalInputs): readonly PlanRefusal[] {
  const authority = refusedByAuthority(inputs);
  if (authority !== undefined) return [authority];
  return [
    refusedByDurability(inputs) ?? refusedByCandidates(inputs),
    refusedByTarget(inputs),
    refusedByHealth(inputs),
    refusedByPolicy(inputs),
  ].filter((refusal) => refusal !== undefined);
}

export function refusedByAuthority({ view }: Pick<RefusalInputs, 'view'>): PlanRefusal | undefined {
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
    message: `cluster ${view.name} is ${phase === undefined ? 'not created' : `in phase ${phase}`}: there is no leader to replace`,
    override: null,
    next: `capstan cluster show ${view.name}`,
  };
}

function refusedByDurability({ view }: RefusalInputs): PlanRefusal | undefined {
  const inSync = view.inSync?.value;
  if (inSync !== undefined && !inSync.degraded && inSync.voters.length > 0 && inSync.required > 0)
    return undefined;
  const leader = view.authority?.value.leader ?? 'the leader';
  return {
    code: 'cluster_degraded',
    message: `cluster ${view.name} is degraded: ${leader} is its own durable set, and no follower is known to hold every confirmed decision`,
    override: null,
    next: `start ${leader} again (capstan member list --cluster ${view.name})`,
  };
}

function refusedByCandidates({ view, sorted, needed }: RefusalInputs): PlanRefusal | undefined {
  const found = sorted.candidates.length;
  if (found >= needed && found > 0) return undefined;
  const why = sorted.excluded
    .filter(({ member }) => view.inSync?.value.voters.some((voter) => voter.member === member))
    .map(({ member, reasons }) => `${member}: ${reasons.join(', ')}`);
  return {
    code: found === 0 ? 'no_candidate' : 'too_few_voters',
    message: `${found} of the ${needed} recorded voters that must be frozen can be reached${why.length > 0 ? ` (${why.join('; ')})` : ''}`,
    override: null,
    next: `bring a recorded voter's agent back (capstan member list --cluster ${view.name})`,
  };
}

export function refusedByTarget({
  view,
  sorted,
  target,
}: Pick<RefusalInputs, 'view' | 'sorted' | 'target'>): PlanRefusal | undefined {
  if (target === null || sorted.candidates.some(({ member }) => member === target)) return undefined;
  const reasons = sorted.excluded.find(({ member }) => member === target)?.reasons;
  return {
    code: 'target_not_candidate',
    message: `${target} can't lead: ${reasons?.join(', ') ?? `it is no member of cluster ${view.name}`}`,
    override: null,
    next: `leave the target out, or name one of: ${sorted.candidates.map(({ member }) => member).join(', ') || 'none'}`,
  };
}

export function refusedByHealth(
  {
    view,
    contract,
    leaderHealthy,
    force,
  }: Pick<RefusalInputs, 'view' | 'contract' | 'leaderHealthy' | 'force'>,
  run = `capstan failover run ${view.name}`,
): PlanRefusal | undefined {
  if (!leaderHealthy || force) return undefined;
  const leader = view.authority?.value.leader ?? '';
  return {
    code: 'leader_healthy',
    message: `${leader} counts as healthy: it renews its lease and its agent says that it leads. One that has just died counts as healthy until its lease has lapsed, after about ${formatDurationMs(contract.lease.ttlMs)}`,
    override: '--force',
    next: `run it again in a few seconds, or ${run} --force`,
  };
}

export function refusedByPolicy(
  { view, contract, acceptDegraded }: Pick<RefusalInputs, 'view' | 'contract' | 'acceptDegraded'>,
  run = `capstan failover run ${view.name}`,
): PlanRefusal | undefined {
  if (contract.durability.openDegraded || acceptDegraded) return undefined;
  return {
    code: 'degraded_not_allowed',
    message: 'the new leader opens without a same-region follower, and the contract forbids that',
    override: '--accept-degraded',
    next: `${run} --accept-degraded`,
  };
}
