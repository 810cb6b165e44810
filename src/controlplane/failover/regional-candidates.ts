import { whyApart } from './apart.ts';
import { type CandidateInputs, type Candidates, reasonsAgainstState, sortedBy } from './candidates.ts';

/** Sorts the members into those of the region that may lead next, best first, and the others, with the reasons. */
export const sortRegionalCandidates = (inputs: CandidateInputs, region: string): Candidates =>
  sortedBy(inputs, {
    because: `registered with this incarnation, in ${region}`,
    against: (member) => reasonsAgainst(inputs, { member, region }),
  });

function reasonsAgainst(
  inputs: CandidateInputs,
  { member, region }: { readonly member: string; readonly region: string },
): readonly string[] {
  const { view } = inputs;
  if (view.authority?.value.leader === member) return ['it is the leader that is replaced'];
  const place = view.membership?.value.members[member];
  if (place?.region !== region) return [`it is in ${place?.region ?? 'no region'}, not in ${region}`];
  const reasons: string[] = [];
  if (place.role === 'learner') reasons.push('it is a learner: it catches up, or is on its way out');
  const registered = view.members.get(member)?.value.incarnation;
  if (registered === undefined) reasons.push('it is not registered: nothing is known of its data');
  const heartbeat = view.heartbeats.get(member)?.value;
  const incarnation = heartbeat?.incarnation;
  if (registered !== undefined && incarnation !== undefined && incarnation !== registered)
    reasons.push(`it runs incarnation ${incarnation ?? 'unknown'}, and is registered as ${registered}`);
  if (heartbeat !== undefined) {
    const apart = whyApart(view, { ...heartbeat, lsn: heartbeat.replayedLsn });
    if (apart !== undefined) reasons.push(`it ${apart}`);
  }
  return [...reasons, ...reasonsAgainstState(inputs, member)];
}
