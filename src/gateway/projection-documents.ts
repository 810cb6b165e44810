import type { z } from 'zod';
import type { EstateView } from '../controlplane/estate-snapshot.ts';
import { formatCommitToken } from '../domain/commit-token.ts';
import { formatAmount } from '../domain/money.ts';
import type { Freshness } from '../projections/freshness.ts';
import type { Dashboard, RiskReport, SearchResult } from '../projections/reader.ts';
import type { FoundDecision } from '../projections/queries/search-decisions.ts';
import type { AuthoritySearch } from './compliance-authorities.ts';
import type { complianceReply, dashboardReply, riskReply } from './projection-schemas.ts';

const decimal = (cents: string): string => formatAmount(BigInt(cents));
const decimalOrNull = (cents: string | null): string | null => (cents === null ? null : decimal(cents));

function freshnessDocument({ asOf, stalenessMs, budgetMs, withinBudget, shards }: Freshness) {
  return {
    as_of: asOf,
    staleness_ms: stalenessMs,
    budget_ms: budgetMs,
    within_budget: withinBudget,
    shards: shards.map((shard) => ({
      shard: shard.shard,
      state: shard.state,
      reason: shard.stateReason,
      paused: shard.paused,
      position: shard.position,
      generation: shard.generation,
      term: shard.term,
      as_of: shard.asOf,
      staleness_ms: shard.stalenessMs,
      within_budget: shard.withinBudget,
    })),
  };
}

export function dashboardDocument(
  issuer: string,
  shard: number,
  found: Dashboard,
): z.infer<typeof dashboardReply> | undefined {
  const { issuer: at } = found;
  if (at === undefined) return undefined;
  const limit = BigInt(at.limit);
  const reserved = BigInt(at.reserved);
  return {
    issuer_id: issuer,
    shard,
    position: found.position,
    limit: formatAmount(limit),
    reserved: formatAmount(reserved),
    remaining: formatAmount(limit - reserved),
    utilisation: limit === 0n ? null : Number((reserved * 10_000n) / limit) / 10_000,
    over_limit: reserved > limit,
    open_count: at.open_count,
    changed_at: at.changed_at,
    open: found.open.map((row) => ({
      reservation_id: row.reservation,
      desk: row.desk,
      notional: decimal(row.amount),
      reservation_token: row.token,
      position: row.position,
      decided_at: row.decided_at,
    })),
    recent: found.recent.map((row) => ({
      position: row.position,
      event: row.event,
      desk: row.desk,
      reservation_token: row.token,
      reservation_id: row.reservation,
      amount: decimalOrNull(row.amount),
      reason: row.reason,
      decided_at: row.decided_at,
    })),
    next_page: found.nextPage,
    freshness: freshnessDocument(found.freshness),
  };
}

function decisionDocument(row: Omit<FoundDecision, 'match'>, match: FoundDecision['match'] | 'authority') {
  const { shard, generation, term } = row;
  return {
    match,
    commit_token: formatCommitToken({ shard, position: BigInt(row.position), generation, term }),
    issuer_id: row.issuer,
    desk: row.desk,
    event: row.event,
    status: row.status,
    reservation_token: row.token,
    reservation_id: row.reservation,
    amount: decimalOrNull(row.amount),
    reserved_after: decimalOrNull(row.reserved_after),
    limit_after: decimalOrNull(row.limit_after),
    reason: row.reason,
    decided_at: row.decided_at,
    released_position: row.released_position,
    released_at: row.released_at,
  };
}

export const searchDocument = (found: SearchResult): z.infer<typeof complianceReply> => ({
  found: found.found.map((row) => decisionDocument(row, row.match)),
  next_page: found.nextPage,
  freshness: freshnessDocument(found.freshness),
  authorities: null,
});

export const authoritativeDocument = ({
  found,
  asked,
  notAsked,
}: AuthoritySearch): z.infer<typeof complianceReply> => ({
  found: found.map((row) => decisionDocument(row, 'authority')),
  next_page: null,
  freshness: null,
  authorities: {
    complete: notAsked.length === 0 && asked.every(({ notLookedAt }) => notLookedAt === 0),
    asked: asked.map(({ notLookedAt, ...rest }) => ({ ...rest, not_looked_at: notLookedAt })),
    not_asked: notAsked.map(({ shards, reason }) => ({ shards: [...shards], reason })),
  },
});

interface Sum {
  reserved: bigint;
  limit: bigint;
  open: bigint;
  issuers: number;
  overLimit: number;
}

const nothing = (): Sum => ({ reserved: 0n, limit: 0n, open: 0n, issuers: 0, overLimit: 0 });

/** By region: the home of the cluster that owns the shard now; null while nobody knows it. */
export function riskDocument(report: RiskReport, view: EstateView): z.infer<typeof riskReply> {
  const regionOf = (shard: number): string | null => {
    const cluster = view.shards.get(shard)?.value.cluster;
    return (cluster === undefined ? undefined : view.clusters.get(cluster)?.record?.value.homeRegion) ?? null;
  };
  const total = nothing();
  const regions = new Map<string | null, Sum>();
  const shards = report.shards.map((row) => {
    const region = regionOf(row.shard);
    const sum = regions.get(region) ?? nothing();
    regions.set(region, sum);
    for (const into of [total, sum]) {
      into.reserved += BigInt(row.reserved);
      into.limit += BigInt(row.limit);
      into.open += BigInt(row.open_count);
      into.issuers += row.issuers;
      into.overLimit += row.over_limit;
    }
    return {
      shard: row.shard,
      region,
      reserved: decimal(row.reserved),
      limit: decimal(row.limit),
      open_count: Number(row.open_count),
      issuers: row.issuers,
      over_limit: row.over_limit,
    };
  });
  const summed = (sum: Sum) => ({
    reserved: formatAmount(sum.reserved),
    limit: formatAmount(sum.limit),
    open_count: Number(sum.open),
    issuers: sum.issuers,
    over_limit: sum.overLimit,
  });
  return {
    total: summed(total),
    regions: Array.from(regions, ([region, sum]) => ({ region, ...summed(sum) })),
    shards,
    desks: report.desks.map(({ desk, reserved, open_count }) => ({
      desk,
      reserved: decimal(reserved),
      open_count: Number(open_count),
    })),
    utilisation: report.bands.map(({ band, issuers, reserved, limit }) => ({
      band,
      issuers,
      reserved: decimal(reserved),
      limit: decimal(limit),
    })),
    freshness: freshnessDocument(report.freshness),
  };
}
