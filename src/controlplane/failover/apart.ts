import { parseLsn } from '../../domain/lsn.ts';
import type { ClusterView } from '../cluster-view.ts';

/** What a member holds, as its agent says. */
export interface HeldLog {
  readonly member: string;
  readonly incarnation: string | null;
  readonly timeline: number | null;
  readonly lsn: string | null;
}

/**
 * Why a member's log is known not to be a part of the leader's: it holds what an earlier change of leader left behind. Decided
 * for, it would lose decisions at positions that it has given to others, which no position can tell. Undefined: nothing says so.
 */
export function whyApart(
  { losses, promotion }: Pick<ClusterView, 'losses' | 'promotion'>,
  { member, incarnation, timeline, lsn }: HeldLog,
): string | undefined {
  const lost = [...losses.values()].find(({ value }) => {
    const known = value.members[member];
    // Found to hold nothing beyond the kept log, its data is a part of that.
    return known !== undefined && known.incarnation === incarnation && known.found !== 0;
  });
  if (lost !== undefined) return `may hold what ${lost.value.operation} lost, which the leader doesn't`;
  const last = promotion?.value;
  const left = parseLsn(last?.switchLsn ?? '');
  const mine = parseLsn(lsn ?? '');
  if (last === undefined || left === undefined || mine === undefined || timeline === null) return undefined;
  return timeline < last.timeline && mine > left
    ? `holds timeline ${timeline} up to ${lsn}, and ${last.member} left it at ${last.switchLsn}`
    : undefined;
}
