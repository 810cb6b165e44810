import { parseLsn } from '../../domain/lsn.ts';
import type { FreezeReport, HandoverEnd, HandoverReport } from '../../domain/agent-reports.ts';
import type { DecidedPrefix } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { SwitchoverPlan } from './plan-types.ts';

export type Handover =
  | { readonly kind: 'waiting'; readonly what: string }
  /** The target doesn't hold exactly what was handed over. */
  | { readonly kind: 'differs'; readonly why: string }
  | { readonly kind: 'held'; readonly end: HandoverEnd; readonly prefix: DecidedPrefix };

/** How many differing shards are spelled out. */
const SHARDS_NAMED_MAX = 3;

/** What the reports of this operation say together: the old leader's of its end, and the target's of what it holds. Pure. */
export function judgeHandover(
  view: Pick<ClusterView, 'handoverReport' | 'frozen'>,
  { operation, plan }: { readonly operation: string; readonly plan: SwitchoverPlan },
): Handover {
  const { leader, target, incarnation, term, nextTerm } = plan;
  const report = view.handoverReport?.value;
  const end = isOf(report, operation, term) && report.outcome === 'handed-over' ? report.end : undefined;
  if (end === undefined) return { kind: 'waiting', what: `waiting for ${leader} to hand over` };
  const frozen = view.frozen.get(target ?? '')?.value;
  if (frozen?.operation !== operation || frozen.term !== nextTerm)
    return { kind: 'waiting', what: `waiting for ${target} to hold what ${leader} handed over` };
  const why =
    frozen.incarnation === incarnation
      ? whyNotAll(frozen, end)
      : `it reports incarnation ${frozen.incarnation}, planned was ${incarnation}`;
  return why === undefined
    ? { kind: 'held', end, prefix: prefixOf(frozen) }
    : { kind: 'differs', why: `${target}: ${why}` };
}

/** Nothing was ever written after the shutdown checkpoint: whoever has replayed that record holds exactly all. */
function whyNotAll(frozen: FreezeReport, end: HandoverEnd): string | undefined {
  const replayed = parseLsn(frozen.replayedLsn);
  const last = parseLsn(end.checkpointLsn);
  if (frozen.timeline !== end.timeline)
    return `it is on timeline ${frozen.timeline}, handed over was ${end.timeline}`;
  if (replayed === undefined || last === undefined || replayed <= last)
    return `it has replayed up to ${frozen.replayedLsn}, the last record is at ${end.checkpointLsn}`;
  const shards = new Set([...Object.keys(end.positions), ...Object.keys(frozen.positions)]);
  const differing = [...shards].filter(
    (shard) => (end.positions[shard] ?? '0') !== (frozen.positions[shard] ?? '0'),
  );
  if (differing.length === 0) return undefined;
  const named = differing
    .slice(0, SHARDS_NAMED_MAX)
    .map(
      (shard) =>
        `shard ${shard} is at ${frozen.positions[shard] ?? 'none'}, handed over at ${end.positions[shard] ?? 'none'}`,
    );
  return `${named.join('; ')} (${differing.length} shards differ)`;
}

const isOf = (
  report: HandoverReport | undefined,
  operation: string,
  term: number,
): report is HandoverReport => report?.operation === operation && report.term === term;

/** Why the leader's agent kept its cluster, if it did so for this operation. */
export function whyKept(
  view: Pick<ClusterView, 'handoverReport'>,
  operation: string,
  term: number,
): string | undefined {
  const report = view.handoverReport?.value;
  return isOf(report, operation, term) && report.outcome === 'kept' ? report.reason : undefined;
}

const prefixOf = (frozen: FreezeReport): DecidedPrefix => ({
  member: frozen.member,
  incarnation: frozen.incarnation,
  timeline: frozen.timeline,
  lsn: frozen.replayedLsn,
  positions: frozen.positions,
});
