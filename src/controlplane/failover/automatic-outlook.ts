import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { failoverPolicyOf, lapseAfterMs } from '../../domain/failover-policy.ts';
import { isFlapping, pauseInForce, standingOf } from '../automatic/standing.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { AutomaticOutlook, FailoverCandidate, PlanRefusal } from './plan-types.ts';

export interface OutlookInputs {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly nowMs: number;
  readonly candidates: readonly FailoverCandidate[];
  /** Of a plan without any override and target. */
  readonly refusals: readonly PlanRefusal[];
}

/**
 * Whether agents would begin this failover now, and what stands in the way. A forecast by the wall clock: each agent
 * counts by its own monotonic clock, from what it has seen itself.
 */
export function automaticOutlook(inputs: OutlookInputs): AutomaticOutlook {
  const { view, contract, nowMs, refusals } = inputs;
  const policy = failoverPolicyOf(contract);
  const standing = standingOf(view, policy, nowMs);
  const against = [
    againstByStanding(inputs, standing),
    standing === 'on' && isFlapping(view.tally, policy, nowMs)
      ? `the next within ${formatDurationMs(policy.flap.withinMs)} would be more than ${policy.flap.max}: it would be blocked instead`
      : undefined,
    ...refusals.filter(({ code }) => code !== 'leader_healthy').map(({ message }) => message),
    againstByLease(inputs),
    againstByState(inputs),
  ].filter((reason) => reason !== undefined);
  return { wouldRun: against.length === 0, standing, against };
}

function againstByStanding(
  { view, nowMs }: OutlookInputs,
  standing: AutomaticOutlook['standing'],
): string | undefined {
  if (standing === 'on') return undefined;
  if (standing === 'off') return 'the contract leaves failovers to people (failover.automatic)';
  if (standing === 'blocked') return `blocked: ${view.block?.value.reason ?? ''}`;
  const pause = pauseInForce(view.pause, nowMs);
  return `paused by ${pause?.by ?? 'somebody'}: ${pause?.reason ?? ''}${pause?.until === null ? '' : `, until ${pause?.until ?? ''}`}`;
}

function againstByLease({ view, contract, nowMs }: OutlookInputs): string | undefined {
  const authority = view.authority?.value;
  if (authority?.phase !== 'open') return undefined;
  const lease = view.lease?.value;
  const granted = lease?.term === authority.term && lease.leader === authority.leader;
  const waitMs = granted ? lapseAfterMs(contract) : contract.deadlines.openMs;
  const sinceMs = Math.max(0, nowMs - Date.parse(granted ? lease.renewedAt : authority.since));
  if (sinceMs > waitMs) return undefined;
  const leader = authority.leader ?? 'the leader';
  return granted
    ? `${leader} renewed its lease ${formatDurationMs(sinceMs)} ago; agents wait until it has not for ${formatDurationMs(waitMs)}`
    : `${leader} has not taken its first lease of term ${authority.term} yet; agents give it ${formatDurationMs(waitMs)}`;
}

function againstByState({ view, candidates }: OutlookInputs): string | undefined {
  const leader = view.authority?.value.leader ?? '';
  const region = view.membership?.value.members[leader]?.region;
  if (candidates.length === 0) return undefined;
  const able = candidates.some(
    (candidate) =>
      candidate.region === region && view.heartbeats.get(candidate.member)?.value.state === 'following',
  );
  return able ? undefined : 'no candidate of the leader’s region is following';
}
