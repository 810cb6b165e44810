import { CapstanError, ExitCode, usageError } from '../domain/errors.ts';
import { formatCommitToken } from '../domain/commit-token.ts';
import { PROJECTION_BUDGETS_DEFAULT } from '../domain/contract.ts';
import { formatAmount, parseAmount } from '../domain/money.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { SearchQuery } from '../projections/search-query.ts';
import type { LoggedDecision } from '../reservations/search-log.ts';
import type { Estate } from './estate.ts';
import { facts, type Section, table } from './render/section.ts';
import type { ComplianceSearchData } from './schemas/compliance.ts';
import { withAuthorities } from './token-command.ts';

const CONNECT_MS = 3_000;

export interface SearchRequest {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly query: SearchQuery;
  readonly limit: number;
  readonly deadlineMs: number;
}

/** Cents of a flag. Throws `search_invalid` (exit 2). */
export function centsOf(flag: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const cents = parseAmount(value);
  if (cents !== undefined) return cents.toString();
  throw invalid(flag, 'an amount such as 1500.00');
}

/** A moment of a flag. Throws `search_invalid` (exit 2). */
export function momentOf(flag: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const ms = Date.parse(value);
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw invalid(flag, 'a moment such as 2026-11-30T09:00:00Z');
}

const invalid = (flag: string, wanted: string): Error =>
  usageError(`--${flag} must be ${wanted}`, { code: 'search_invalid' });

/** Asks the projections' database under the reader's role. Throws what `ProjectionReader` rejects with, and `projections_missing`. */
export async function searchProjections(
  options: SearchRequest & { readonly page: string | undefined },
): Promise<ComplianceSearchData> {
  const { etcd, estate, query, limit, page, deadlineMs } = options;
  const [{ ProjectionReader }, { projectionsConnectOptions }, { readEstateSnapshot }] = await Promise.all([
    import('../projections/reader.ts'),
    import('../projections/connect-options.ts'),
    import('../controlplane/estate-snapshot.ts'),
  ]);
  const { estate: record, contract } = await readEstateSnapshot(etcd, estate.keys);
  const connection = await projectionsConnectOptions({
    config: estate.config,
    role: 'projections_reader',
    region: estate.region,
    applicationName: 'capstan-cli',
    connectTimeoutMs: CONNECT_MS,
    statementTimeoutMs: deadlineMs,
    lockTimeoutMs: CONNECT_MS,
  });
  const reader = await ProjectionReader.open({
    ...connection,
    connectionsMax: 1,
    deadlineMs,
    nowMs: () => Date.now(),
    clockSkewMaxMs: contract.value.liveness.clockSkewMaxMs,
    budgets: contract.value.projections ?? PROJECTION_BUDGETS_DEFAULT,
  });
  try {
    const shards = Array.from({ length: record.value.shardCount }, (_, shard) => shard);
    const { found, freshness, nextPage } = await reader.search({ query, shards, limit, page });
    return {
      source: 'projections',
      found: found.map((row) => foundData(row, row.match)),
      nextPage,
      asOf: freshness.asOf,
      stalenessMs: freshness.stalenessMs,
      withinBudget: freshness.withinBudget,
      shardsOutOfBudget: freshness.shards.filter((one) => !one.withinBudget).map(({ shard }) => shard),
      authorities: [],
      notAsked: [],
    };
  } finally {
    await reader.close();
  }
}

/** Asks the shards' leaders as an operator. Who can't be asked is named. */
export async function searchLeaders(options: SearchRequest): Promise<ComplianceSearchData> {
  const { searchAuthorities } = await import('../gateway/compliance-authorities.ts');
  const { found, asked, notAsked } = await withAuthorities(options, (asking) =>
    searchAuthorities({
      ...asking,
      query: options.query,
      limit: options.limit,
      deadlineMs: options.deadlineMs,
    }),
  );
  return {
    source: 'authorities',
    found: found.map((row) => foundData(row, 'authority')),
    nextPage: null,
    asOf: null,
    stalenessMs: notAsked.length === 0 ? 0 : null,
    withinBudget: notAsked.length === 0,
    shardsOutOfBudget: notAsked.flatMap(({ shards }) => shards),
    authorities: asked.map((one) => ({ ...one })),
    notAsked: notAsked.map(({ shards, reason }) => ({ shards: [...shards], reason })),
  };
}

/** The error of an answer from which authorities are missing. */
export function incompleteSearch({ notAsked }: ComplianceSearchData): CapstanError | undefined {
  if (notAsked.length === 0) return undefined;
  const shards = notAsked.reduce((sum, one) => sum + one.shards.length, 0);
  return new CapstanError(
    `the authorities of ${shards} shards could not be asked: ${notAsked[0]?.reason ?? ''}`,
    {
      code: 'search_incomplete',
      exit: ExitCode.partial,
      retryable: true,
      next: 'ask again, or leave --authoritative out',
      data: { shards },
    },
  );
}

const foundData = (row: LoggedDecision, match: string): ComplianceSearchData['found'][number] => ({
  match,
  commitToken: formatCommitToken({
    shard: row.shard,
    position: BigInt(row.position),
    generation: row.generation,
    term: row.term,
  }),
  issuer: row.issuer,
  desk: row.desk,
  event: row.event,
  status: row.status,
  token: row.token,
  reservation: row.reservation,
  amount: row.amount === null ? null : formatAmount(BigInt(row.amount)),
  reason: row.reason,
  decidedAt: row.decided_at,
});

export function searchSections(data: ComplianceSearchData): Section[] {
  const staleness = data.stalenessMs === null ? 'unknown' : `${data.stalenessMs} ms`;
  return [
    table({
      rows: data.found,
      empty: 'nothing was found',
      columns: [
        { header: 'decided', value: (row) => row.decidedAt },
        { header: 'issuer', value: (row) => row.issuer },
        { header: 'desk', value: (row) => row.desk },
        { header: 'event', value: (row) => row.event },
        { header: 'status', value: (row) => row.status },
        { header: 'amount', value: (row) => row.amount, align: 'right' },
        { header: 'token', value: (row) => row.token },
        { header: 'reservation', value: (row) => row.reservation, wide: true },
        { header: 'reason', value: (row) => row.reason, shrink: true },
        { header: 'match', value: (row) => row.match, wide: true },
        { header: 'commit token', value: (row) => row.commitToken, wide: true },
      ],
    }),
    facts([
      ['source', data.source],
      ['as of', data.asOf],
      ['staleness', staleness],
      ['within budget', data.withinBudget],
      ['next page', data.nextPage],
      ...data.authorities.map(
        ({ cluster, member, shards, notLookedAt }) =>
          [
            'asked',
            `${member} of ${cluster}: ${shards} shards, ${notLookedAt} old decisions not looked at`,
          ] as const,
      ),
      ...data.notAsked.map(
        ({ shards, reason }) => ['not asked', `${shards.length} shards: ${reason}`] as const,
      ),
    ]),
  ];
}
