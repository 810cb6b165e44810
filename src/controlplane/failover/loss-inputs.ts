import type { Contract } from '../../domain/contract.ts';
import type { ProgressRecord } from '../../domain/agent-reports.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { LossInputs } from './loss-forecast.ts';

export interface LeaderUnderLoss {
  readonly view: ClusterView;
  readonly progress: ReadonlyMap<string, ProgressRecord>;
  /** Who led before the fence, and under which term. */
  readonly former: Pick<AuthorityRecord, 'leader' | 'term'>;
}

/** What is known of the leader that is given up; of another incarnation or term it says nothing. */
export function leaderProgress({ view, progress, former }: LeaderUnderLoss): LossInputs['leader'] {
  const name = former.leader ?? '';
  const record = progress.get(name);
  if (record === undefined) return { unknown: `${name || 'the leader'} has published no progress` };
  const registered = view.members.get(name)?.value.incarnation;
  if (record.incarnation !== registered)
    return {
      unknown: `${name} published as incarnation ${record.incarnation}, and is registered as ${registered ?? 'none'}`,
    };
  if (record.term !== former.term)
    return { unknown: `${name} published under term ${record.term ?? 'none'}, and led term ${former.term}` };
  return record;
}

/** What a candidate's agent published of its data; of another incarnation it says nothing. */
export function candidateProgress(
  progress: ReadonlyMap<string, ProgressRecord>,
  candidate: { readonly member: string; readonly incarnation: string } | undefined,
): LossInputs['target'] {
  if (candidate === undefined) return { unknown: 'there is no candidate' };
  const record = progress.get(candidate.member);
  return record?.incarnation === candidate.incarnation
    ? record
    : { unknown: `${candidate.member} has published no progress as incarnation ${candidate.incarnation}` };
}

/**
 * When the former leader's right ends, by its own wall clock. Before the fence a lease that isn't overdue may be renewed up to
 * now; after it the last renewal is the last.
 */
export function rightEndsAtMs(
  { view, former }: Pick<LeaderUnderLoss, 'view' | 'former'>,
  about: { readonly contract: Contract; readonly nowMs: number; readonly fenced: boolean },
): number | null {
  const { contract, nowMs, fenced } = about;
  const lease = view.lease?.value;
  const own = lease?.term === former.term && lease.leader === former.leader ? lease : undefined;
  const ends = own === undefined ? null : Date.parse(own.renewedAt) + own.ttlMs;
  if (fenced) return ends;
  return ends !== null && ends < nowMs ? ends : nowMs + contract.lease.ttlMs;
}

/**
 * While its claim is advertised a leader decides nothing that would be older than the gate at its best remote follower, and
 * it takes the claim back in etcd before it decides without that bound. Of several followers nobody says which is the best.
 */
export function claimBoundMs(
  { view, former }: Pick<LeaderUnderLoss, 'view' | 'former'>,
  { contract, target }: { readonly contract: Contract; readonly target: string | undefined },
): number | null {
  const claim = view.claim?.value;
  const observers = Object.entries(view.membership?.value.members ?? {}).filter(
    ([, { role }]) => role === 'observer',
  );
  const only = observers.length === 1 ? observers[0]?.[0] : undefined;
  const bounded =
    claim?.term === former.term && claim.status === 'advertised' && only !== undefined && only === target;
  return bounded ? contract.rpo.gateMs : null;
}
