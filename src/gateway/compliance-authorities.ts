import { messageOf } from '../domain/errors.ts';
import { type SearchQuery, searchTerms } from '../projections/search-query.ts';
import { type LogFilter, type LoggedDecision, searchLog } from '../reservations/search-log.ts';
import { returnedAs } from './leader-connections.ts';
import type { TokenResolutionOptions } from './token-types.ts';

/** Positions that one question looks at, all shards together: what compliance asks must not hold up decisions. */
const SCAN_MAX = 100_000;

export interface AuthoritySearch {
  readonly found: readonly LoggedDecision[];
  readonly asked: readonly {
    readonly cluster: string;
    readonly member: string;
    readonly term: number;
    readonly shards: number;
    readonly notLookedAt: number;
  }[];
  readonly notAsked: readonly { readonly shards: readonly number[]; readonly reason: string }[];
}

export interface AuthoritySearchOptions extends Pick<TokenResolutionOptions, 'routes' | 'take'> {
  readonly query: SearchQuery;
  readonly limit: number;
  readonly deadlineMs: number;
}

/** Asks the leader of every shard that the query can concern, each cluster once. Never throws: who can't be asked is named. */
export async function searchAuthorities(options: AuthoritySearchOptions): Promise<AuthoritySearch> {
  const { routes, query, limit } = options;
  const shards = shardsOf(options);
  const notAsked: { shards: number[]; reason: string }[] = [];
  const byCluster = new Map<string, number[]>();
  for (const shard of shards) {
    const cluster = routes.routeOf(shard)?.scope.cluster;
    if (cluster === undefined) notAsked.push({ shards: [shard], reason: 'its owner is not known' });
    else byCluster.set(cluster, [...(byCluster.get(cluster) ?? []), shard]);
  }
  const scanMax = Math.max(1, Math.floor(SCAN_MAX / Math.max(1, shards.length)));
  const filter = filterOf(query);
  const answers = await Promise.all(
    Array.from(byCluster, ([cluster, owned]) => askOne(options, { cluster, owned, filter, scanMax })),
  );
  const found: LoggedDecision[] = [];
  const asked: AuthoritySearch['asked'][number][] = [];
  for (const answer of answers) {
    found.push(...answer.found);
    if (answer.asked !== undefined) asked.push(answer.asked);
    if (answer.silent.shards.length > 0) notAsked.push(answer.silent);
  }
  return { found: found.toSorted(newestFirst).slice(0, limit), asked, notAsked };
}

function shardsOf({ routes, query }: AuthoritySearchOptions): number[] {
  const { issuer } = query;
  if (issuer !== undefined && !issuer.endsWith('*')) {
    const shard = routes.shardOf(issuer);
    return shard === undefined ? [] : [shard];
  }
  return Array.from({ length: routes.view.estate?.value.shardCount ?? 0 }, (_, shard) => shard);
}

async function askOne(
  { routes, take, limit, deadlineMs }: AuthoritySearchOptions,
  of: { cluster: string; owned: number[]; filter: LogFilter; scanMax: number },
) {
  const { cluster, owned, filter, scanMax } = of;
  const silent = (reason: string) => ({ found: [], asked: undefined, silent: { shards: owned, reason } });
  const route = owned[0] === undefined ? undefined : routes.routeOf(owned[0]);
  if (route === undefined || route.leader === null) return silent(route?.absent ?? 'there is no leader');
  const { leader, scope } = route;
  try {
    const connection = await take(cluster, leader);
    const result = await searchLog(
      connection.client,
      scope,
      { shards: owned, filter, limit, scanMax },
      { deadlineMs },
    );
    connection.release(returnedAs(result));
    if (result.kind !== 'searched') return silent(`${leader}: ${result.message}`);
    const served = new Set(result.shards.map(({ shard }) => shard));
    const notLookedAt = result.shards.reduce((sum, { first }) => sum + Number(first) - 1, 0);
    return {
      found: result.found,
      asked: { cluster, member: leader, term: scope.term, shards: served.size, notLookedAt },
      silent: {
        shards: owned.filter((shard) => !served.has(shard)),
        reason: `${leader} does not serve them now`,
      },
    };
  } catch (error) {
    return silent(`${leader} can't be reached: ${messageOf(error)}`);
  }
}

function filterOf({ text, issuer, ...query }: SearchQuery): LogFilter {
  const prefix = issuer?.endsWith('*') === true ? issuer.slice(0, -1) : undefined;
  return {
    words: text === undefined ? undefined : searchTerms(text),
    issuer: prefix === undefined ? issuer : undefined,
    prefix,
    part: query.issuerContains,
    desk: query.desk,
    amount_min: query.amountMinCents,
    amount_max: query.amountMaxCents,
    since: query.from,
    until: query.to,
    status: query.status,
    event: query.event,
  };
}

const newestFirst = (one: LoggedDecision, other: LoggedDecision): number =>
  other.decided_at.localeCompare(one.decided_at) ||
  other.shard - one.shard ||
  Number(BigInt(other.position) - BigInt(one.position));
