import type { ClusterView } from '../cluster-view.ts';
import { type CandidateInputs, type Candidates, sortCandidates } from '../failover/candidates.ts';
import type { ExcludedMember, FailoverCandidate } from '../failover/plan-types.ts';

/** What is further behind would make callers wait while it catches up. */
const NEAR_BYTES = 16n * 1_048_576n;

/** The members that may take over without a wait that shows: what a failover would take, and streaming near the leader. */
export function sortSuccessors(inputs: CandidateInputs): Candidates {
  const sorted = sortCandidates(inputs);
  const candidates: FailoverCandidate[] = [];
  const excluded: ExcludedMember[] = [...sorted.excluded];
  for (const candidate of sorted.candidates) {
    const why = whyNotNear(inputs.view, candidate);
    if (why === undefined) candidates.push(candidate);
    else excluded.push({ member: candidate.member, region: candidate.region, reasons: [why] });
  }
  return { candidates, excluded };
}

function whyNotNear(view: ClusterView, { member, incarnation }: FailoverCandidate): string | undefined {
  if (view.heartbeats.get(member)?.value.state !== 'following') return 'it is not following the leader';
  const leader = view.authority?.value.leader ?? '';
  const seen = view.heartbeats
    .get(leader)
    ?.value.followers.find((follower) => follower.member === member && follower.incarnation === incarnation);
  if (seen === undefined) return `${leader} sees no stream to it`;
  if (seen.lagBytes === null) return 'its lag is unknown';
  return BigInt(seen.lagBytes) <= NEAR_BYTES ? undefined : `it is ${seen.lagBytes} bytes behind`;
}
