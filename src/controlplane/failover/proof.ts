import { parseLsn } from '../../domain/lsn.ts';
import type { FreezeReport } from '../../domain/agent-reports.ts';
import type { DecidedPrefix, InSyncRecord, MembershipRecord, Voter } from '../../domain/records.ts';

export interface FrozenVoters {
  /** Voters that must be frozen, so that the rest can't make a quorum of `required`. */
  readonly needed: number;
  readonly frozen: readonly FreezeReport[];
  /** Why a recorded voter doesn't count, or doesn't yet. */
  readonly missing: readonly { readonly member: string; readonly why: string }[];
  readonly holds: boolean;
}

export interface FreezeRound {
  readonly operation: string;
  readonly term: number;
  readonly inSync: InSyncRecord;
  readonly membership: MembershipRecord | undefined;
  readonly reports: readonly FreezeReport[];
}

/**
 * The in-region fence proof. Every confirmed decision was flushed by `required` of the recorded voters, so once
 * voters - required + 1 of them take no more WAL, no later commit can be confirmed by the old leader, and at least one of
 * the frozen holds each confirmed decision. Only this term's reports count, of the incarnation that etcd records: a
 * voter cloned anew since then may hold less. The leader is chosen among the counted, so each must still be a voter of the
 * membership.
 */
export function frozenVoters(round: FreezeRound): FrozenVoters {
  const { inSync, reports } = round;
  const needed = inSync.voters.length - inSync.required + 1;
  const frozen: FreezeReport[] = [];
  const missing: { member: string; why: string }[] = [];
  for (const voter of inSync.voters) {
    const report = reports.find(({ member }) => member === voter.member);
    const why = whyNotCounted({ ...round, voter, report });
    if (why !== undefined) missing.push({ member: voter.member, why });
    else if (report !== undefined) frozen.push(report);
  }
  // No voter, or a record that requires none, proves nothing about what the old leader can still confirm.
  const provable = inSync.voters.length > 0 && inSync.required > 0 && !inSync.degraded;
  return { needed, frozen, missing, holds: provable && frozen.length >= needed };
}

function whyNotCounted(
  about: FreezeRound & { readonly voter: Voter; readonly report: FreezeReport | undefined },
): string | undefined {
  const { voter, report, operation, term, membership } = about;
  if (membership?.members[voter.member]?.role !== 'voter') return 'is no voter of the membership any more';
  if (report === undefined || report.term < term) return 'has not reported that it is frozen';
  if (report.term > term || report.operation !== operation)
    return `is frozen for another operation (${report.operation}, term ${report.term})`;
  if (report.incarnation !== voter.incarnation)
    return `is frozen as incarnation ${report.incarnation}, but etcd records ${voter.incarnation} as in sync`;
  if (parseLsn(report.replayedLsn) === undefined)
    return `reports ${JSON.stringify(report.replayedLsn)}, which is no LSN`;
  return undefined;
}

/** By timeline, then replayed LSN, then name; the one that holds most comes first. */
export function compareReports(a: FreezeReport, b: FreezeReport): number {
  return (
    b.timeline - a.timeline ||
    compareLsnDescending(a.replayedLsn, b.replayedLsn) ||
    byName(a.member, b.member)
  );
}

function compareLsnDescending(a: string, b: string): number {
  const left = parseLsn(a) ?? -1n;
  const right = parseLsn(b) ?? -1n;
  if (left === right) return 0;
  return left > right ? -1 : 1;
}

const byName = (a: string, b: string) => (a < b ? -1 : Number(a > b));

export type Decision =
  | { readonly kind: 'decided'; readonly prefix: DecidedPrefix; readonly order: readonly FreezeReport[] }
  | { readonly kind: 'target-behind'; readonly target: string; readonly best: FreezeReport }
  | { readonly kind: 'target-not-frozen'; readonly target: string };

/**
 * Picks the frozen voter that holds most. A `target` is taken only when it holds as much as the best: choosing one that
 * is behind would throw away decisions whose callers were told `unknown`, and may have been kept.
 */
export function decideLeader(frozen: readonly FreezeReport[], target: string | null): Decision {
  const order = frozen.toSorted(compareReports);
  const best = order[0];
  if (best === undefined) throw new Error('a leader is decided only after the proof holds');
  if (target === null || target === best.member) return { kind: 'decided', prefix: prefixOf(best), order };
  const wanted = order.find(({ member }) => member === target);
  if (wanted === undefined) return { kind: 'target-not-frozen', target };
  const level =
    wanted.timeline === best.timeline && compareLsnDescending(wanted.replayedLsn, best.replayedLsn) === 0;
  return level
    ? { kind: 'decided', prefix: prefixOf(wanted), order }
    : { kind: 'target-behind', target, best };
}

const prefixOf = (report: FreezeReport): DecidedPrefix => ({
  member: report.member,
  incarnation: report.incarnation,
  timeline: report.timeline,
  lsn: report.replayedLsn,
  positions: report.positions,
});
