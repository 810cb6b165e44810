import type { Contract } from '../../domain/contract.ts';
import { parseLsn } from '../../domain/lsn.ts';
import type { HeartbeatRecord } from '../../domain/agent-reports.ts';
import type { MemberState } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { ExcludedMember, FailoverCandidate } from './plan-types.ts';

/** What a follower is doing when it can still be frozen and promoted. */
const PROMOTABLE: ReadonlySet<MemberState> = new Set(['following', 'frozen']);

export interface CandidateInputs {
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly nowMs: number;
}

export interface Candidates {
  readonly candidates: readonly FailoverCandidate[];
  readonly excluded: readonly ExcludedMember[];
}

/** Sorts the cluster's members into those that may lead next in region, best first, and those that may not, with the reasons. */
export const sortCandidates = (inputs: CandidateInputs): Candidates =>
  sortedBy(inputs, {
    because: 'recorded in sync with this incarnation',
    against: (member) => reasonsAgainst(inputs, member),
  });

export function sortedBy(
  inputs: CandidateInputs,
  rule: { readonly because: string; readonly against: (member: string) => readonly string[] },
): Candidates {
  const { view } = inputs;
  const candidates: FailoverCandidate[] = [];
  const excluded: ExcludedMember[] = [];
  for (const [member, { region }] of Object.entries(view.membership?.value.members ?? {})) {
    const against = rule.against(member);
    if (against.length > 0) {
      excluded.push({ member, region, reasons: against });
      continue;
    }
    const heartbeat = view.heartbeats.get(member)?.value;
    candidates.push({
      member,
      region,
      incarnation: heartbeat?.incarnation ?? '',
      timeline: heartbeat?.timeline ?? null,
      replayedLsn: heartbeat?.replayedLsn ?? null,
      reasons: [rule.because, `${heartbeat?.state ?? ''}, heartbeat ${ageText(heartbeat, inputs.nowMs)}`],
    });
  }
  return {
    candidates: candidates.toSorted(mostFirst),
    excluded: excluded.toSorted((a, b) => byName(a.member, b.member)),
  };
}

/** An agent that is silent for longer than the contract allows counts as unreachable. */
export function isFresh(
  heartbeat: HeartbeatRecord | undefined,
  { contract, nowMs }: CandidateInputs,
): boolean {
  if (heartbeat === undefined) return false;
  const { heartbeatTtlMs, clockSkewMaxMs } = contract.liveness;
  return nowMs - Date.parse(heartbeat.at) <= heartbeatTtlMs + clockSkewMaxMs;
}

/** Whether the leader looks able to decide: its lease was renewed within its time and its agent says that it leads. */
export function isLeaderHealthy(inputs: CandidateInputs): boolean {
  const { view, nowMs } = inputs;
  const authority = view.authority?.value;
  const lease = view.lease?.value;
  if (authority === undefined || authority.leader === null || lease === undefined) return false;
  const heartbeat = view.heartbeats.get(authority.leader)?.value;
  return (
    lease.leader === authority.leader &&
    lease.term === authority.term &&
    nowMs - Date.parse(lease.renewedAt) <= lease.ttlMs &&
    isFresh(heartbeat, inputs) &&
    heartbeat?.state === 'leading' &&
    heartbeat.postgresUp
  );
}

function reasonsAgainst(inputs: CandidateInputs, member: string): readonly string[] {
  const { view } = inputs;
  if (view.authority?.value.leader === member) return ['it is the leader that is replaced'];
  const reasons: string[] = [];
  const role = view.membership?.value.members[member]?.role;
  if (role === 'observer') reasons.push('it is an observer: it never votes and never leads in region');
  if (role === 'learner') reasons.push('it is a learner: it catches up, or is on its way out');
  const voter = view.inSync?.value.voters.find((recorded) => recorded.member === member);
  if (voter === undefined)
    reasons.push('etcd does not record it as in sync: it may lack confirmed decisions');
  const incarnation = view.heartbeats.get(member)?.value.incarnation;
  if (voter !== undefined && incarnation !== undefined && incarnation !== voter.incarnation)
    reasons.push(
      `it runs incarnation ${incarnation ?? 'unknown'}, etcd records ${voter.incarnation} as in sync`,
    );
  return [...reasons, ...reasonsAgainstState(inputs, member)];
}

/** Why a member can't be frozen and promoted now, whatever it holds. */
export function reasonsAgainstState(inputs: CandidateInputs, member: string): readonly string[] {
  const reasons: string[] = [];
  const heartbeat = inputs.view.heartbeats.get(member)?.value;
  if (heartbeat === undefined) return ['no heartbeat: its agent is down or unreachable'];
  if (!isFresh(heartbeat, inputs)) reasons.push(`its last heartbeat is ${ageText(heartbeat, inputs.nowMs)}`);
  if (!PROMOTABLE.has(heartbeat.state))
    reasons.push(`it is ${heartbeat.state}${heartbeat.reason === null ? '' : `: ${heartbeat.reason}`}`);
  if (!heartbeat.postgresUp) reasons.push('its Postgres is down');
  return reasons;
}

function ageText(heartbeat: HeartbeatRecord | undefined, nowMs: number): string {
  if (heartbeat === undefined) return 'absent';
  return `${(Math.max(0, nowMs - Date.parse(heartbeat.at)) / 1_000).toFixed(1)} s old`;
}

function mostFirst(a: FailoverCandidate, b: FailoverCandidate): number {
  const timelines = (b.timeline ?? 0) - (a.timeline ?? 0);
  if (timelines !== 0) return timelines;
  const left = parseLsn(a.replayedLsn ?? '') ?? -1n;
  const right = parseLsn(b.replayedLsn ?? '') ?? -1n;
  if (left !== right) return left > right ? -1 : 1;
  return byName(a.member, b.member);
}

const byName = (a: string, b: string) => (a < b ? -1 : Number(a > b));
