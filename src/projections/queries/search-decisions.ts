import { assertNever } from '../../domain/errors.ts';
import type { SqlClient } from '../../postgres/sql-client.ts';
import type { DecisionRow } from '../fold.ts';
import { likeText, type SearchQuery, tsQueryText } from '../search-query.ts';
import { utc } from '../verify/rows-sql.ts';

/** Why a row was found, best first: its own id or token, its issuer, the beginning of its issuer, its words, a part of its issuer. */
export const MATCHES = ['id', 'issuer', 'issuer_prefix', 'words', 'issuer_part'] as const;
export type Match = (typeof MATCHES)[number] | 'filter';

export interface FoundDecision extends DecisionRow {
  readonly shard: number;
  readonly match: Match;
}

export interface SearchPage {
  readonly query: SearchQuery;
  /** By shard number; nothing beyond is shown. */
  readonly positions: readonly (string | null)[];
  readonly match: Match;
  /** decided_at, shard, position of the last row of this match that was shown. */
  readonly after: readonly (string | number)[] | undefined;
  readonly limit: number;
}

/** What is common is found among the newest: its index would have to sort half of the table. */
const WINDOW_ROWS = 5_000;
/** Ways that find few rows, whatever the text. */
const NARROW: ReadonlySet<Match> = new Set(['id', 'issuer']);

/**
 * The newest decisions that match in one way and in no better one, as of the given positions. They are sought among the newest of all
 * first; only if these hold too few does the index of that way serve.
 */
export async function searchDecisions(client: SqlClient, page: SearchPage): Promise<FoundDecision[]> {
  if (!NARROW.has(page.match)) {
    const newest = await search(client, page, WINDOW_ROWS);
    if (newest.length === page.limit) return newest;
  }
  return search(client, page, undefined);
}

/** What wasn't yet so at the page's positions isn't shown. */
const released = (column: string): string =>
  `case when d.released_position <= ($1::bigint[])[d.shard_id + 1] then ${column} end`;

async function search(
  client: SqlClient,
  { query, positions, match, after, limit }: SearchPage,
  windowRows: number | undefined,
): Promise<FoundDecision[]> {
  const values: unknown[] = [positions];
  const param = (value: unknown, type: string): string => `$${values.push(value)}::${type}`;
  const status = `case when d.released_position > ($1::bigint[])[d.shard_id + 1] then 'open' else d.status end`;
  const from = ['d.position <= ($1::bigint[])[d.shard_id + 1]'];
  if (after !== undefined) {
    const [decidedAt, shard, position] = after;
    from.push(
      `(d.decided_at, d.shard_id, d.position) < (${param(decidedAt, 'timestamptz')}, ${param(shard, 'integer')}, ${param(position, 'bigint')})`,
    );
  }
  const conditions = [
    ...matchConditions(query.text ?? '', match, param),
    ...filterConditions(query, status, param),
  ];
  const order = 'order by d.decided_at desc, d.shard_id desc, d.position desc';
  const rowsFrom =
    windowRows === undefined
      ? 'projection.decision d'
      : `(select * from projection.decision d where ${from.join(' and ')} ${order} limit ${windowRows}) d`;
  const where = windowRows === undefined ? [...from, ...conditions] : ['true', ...conditions];
  const { rows } = await client.query<Omit<FoundDecision, 'match'>>(
    `select d.shard_id as shard, d.position, d.generation, d.term, d.event, d.issuer_id as issuer, d.desk,
        d.reservation_token as token, d.reservation_id as reservation, d.amount_cents as amount, d.reserved_after,
        d.limit_after, d.reason, ${utc('d.decided_at')} as decided_at, ${status} as status,
        ${released('d.released_position')} as released_position, ${released(utc('d.released_at'))} as released_at
      from ${rowsFrom}
      where ${where.join('\n        and ')}
      ${order}
      limit ${param(limit, 'bigint')}`,
    values,
  );
  return rows.map((row) => ({ ...row, match }));
}

/** Which ways of matching a query has. */
export function matchesOf({ text }: SearchQuery): readonly Match[] {
  return text === undefined || text === '' ? ['filter'] : MATCHES;
}

type Param = (value: unknown, type: string) => string;
/** A trigram index finds nothing shorter. */
const TRIGRAM_CHARACTERS = 3;

function matchConditions(text: string, match: Match, param: Param): string[] {
  if (match === 'filter') return [];
  const q = () => param(text, 'text');
  const words = tsQueryText(text);
  const wordsMatch = () =>
    words === undefined ? 'false' : `d.words @@ pg_catalog.to_tsquery('simple', ${param(words, 'text')})`;
  const isId = () => `(d.reservation_token = ${q()} or coalesce(d.reservation_id = ${q()}, false))`;
  const prefix = () => `d.issuer_id like ${param(`${likeText(text)}%`, 'text')}`;
  switch (match) {
    case 'id':
      // No `coalesce`: each has an index.
      return [`(d.reservation_token = ${q()} or d.reservation_id = ${q()})`];
    case 'issuer':
      return [`d.issuer_id = ${q()}`, `not ${isId()}`];
    case 'issuer_prefix':
      return [prefix(), `d.issuer_id <> ${q()}`, `not ${isId()}`];
    case 'words':
      return [wordsMatch(), `not ${prefix()}`, `not ${isId()}`];
    case 'issuer_part':
      if (text.length < TRIGRAM_CHARACTERS) return ['false'];
      return [
        `d.issuer_id ilike ${param(`%${likeText(text)}%`, 'text')}`,
        `not ${prefix()}`,
        `not (${wordsMatch()})`,
        `not ${isId()}`,
      ];
    default:
      return assertNever(match);
  }
}

function filterConditions(query: SearchQuery, status: string, param: Param): string[] {
  const where: string[] = [];
  const { issuer } = query;
  if (issuer?.endsWith('*'))
    where.push(`d.issuer_id like ${param(`${likeText(issuer.slice(0, -1))}%`, 'text')}`);
  else if (issuer !== undefined) where.push(`d.issuer_id = ${param(issuer, 'text')}`);
  if (query.issuerContains !== undefined)
    where.push(`d.issuer_id ilike ${param(`%${likeText(query.issuerContains)}%`, 'text')}`);
  if (query.desk !== undefined) where.push(`d.desk = ${param(query.desk, 'text')}`);
  if (query.amountMinCents !== undefined)
    where.push(`d.amount_cents >= ${param(query.amountMinCents, 'bigint')}`);
  if (query.amountMaxCents !== undefined)
    where.push(`d.amount_cents <= ${param(query.amountMaxCents, 'bigint')}`);
  if (query.from !== undefined) where.push(`d.decided_at >= ${param(query.from, 'timestamptz')}`);
  if (query.to !== undefined) where.push(`d.decided_at < ${param(query.to, 'timestamptz')}`);
  if (query.event !== undefined) where.push(`d.event = ${param(query.event, 'text')}`);
  if (query.status !== undefined) {
    where.push(`${status} = ${param(query.status, 'text')}`);
    // What the status says of the event has an index.
    if (query.status === 'rejected') where.push(`d.event in ('reserve_rejected', 'release_rejected')`);
    else if (query.status === 'abandoned') where.push(`d.event = 'abandoned'`);
    else if (query.status !== 'final') where.push(`d.event = 'reserved'`);
  }
  return where;
}
