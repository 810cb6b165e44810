import { parseLsn } from '../../domain/lsn.ts';
import type { PromotionReport } from '../../domain/agent-reports.ts';
import type { DecidedPrefix } from '../../domain/records.ts';

/** How many differing shards are spelled out; the rest are counted. */
const SHARDS_NAMED_MAX = 5;

export interface PromotionClaim {
  readonly operation: string;
  readonly term: number;
  readonly prefix: DecidedPrefix;
}

/** Whether a report is this operation's: one of an earlier term or another member says nothing about it. */
export const isReportOf = (
  report: PromotionReport | undefined,
  claim: PromotionClaim,
): report is PromotionReport =>
  report?.operation === claim.operation &&
  report.term === claim.term &&
  report.member === claim.prefix.member;

/**
 * How the promoted leader's log differs from the decided prefix; empty when it is exactly that, then its own (I6). The
 * switchpoint is where the old timeline ends in the promoted member's timeline history.
 */
export function promotionDifferences(report: PromotionReport, { prefix }: PromotionClaim): readonly string[] {
  const differences: string[] = [];
  if (report.timeline <= prefix.timeline)
    differences.push(`timeline ${report.timeline} is not after the decided ${prefix.timeline}`);
  if (parseLsn(report.switchLsn) === undefined || parseLsn(report.switchLsn) !== parseLsn(prefix.lsn))
    differences.push(`its timeline begins at ${report.switchLsn}, the decided prefix ends at ${prefix.lsn}`);
  return [...differences, ...positionDifferences(report.positions, prefix.positions)];
}

/** A head that was never made is one at 0: adopting makes it, and a promotion that is done once more finds it. */
function positionDifferences(
  actual: Readonly<Record<string, string>>,
  decided: Readonly<Record<string, string>>,
): readonly string[] {
  const shards = [...new Set([...Object.keys(decided), ...Object.keys(actual)])];
  const differing = shards
    .filter((shard) => (actual[shard] ?? '0') !== (decided[shard] ?? '0'))
    .toSorted((a, b) => Number(a) - Number(b));
  const named = differing
    .slice(0, SHARDS_NAMED_MAX)
    .map((shard) => `shard ${shard} is at ${actual[shard] ?? 'none'}, decided ${decided[shard] ?? 'none'}`);
  const unnamed = differing.length - named.length;
  return unnamed > 0 ? [...named, `and ${unnamed} more shards`] : named;
}
