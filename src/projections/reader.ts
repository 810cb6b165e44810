import { type Freshness, freshnessOf } from './freshness.ts';
import { formatPage, pageUnder, parsePage, positionsArray } from './page-token.ts';
import { type IssuerAt, issuerAt, type OpenAt, openAt, recentDecisions } from './queries/issuer-dashboard.ts';
import {
  type DeskExposure,
  exposureByDesk,
  exposureByShard,
  exposureByUtilisation,
  type ShardExposure,
  type UtilisationBand,
} from './queries/risk-exposure.ts';
import { type FoundDecision, type Match, matchesOf, searchDecisions } from './queries/search-decisions.ts';
import { readWatermarks } from './queries/watermarks.ts';
import type { SearchQuery } from './search-query.ts';
import { SnapshotPool, type SnapshotPoolOptions } from './snapshot-pool.ts';

export interface ReaderOptions extends SnapshotPoolOptions {
  /** The wall clock in ms; staleness is this less the moment that a shard is fresh as of. */
  readonly nowMs: () => number;
  readonly clockSkewMaxMs: number;
  readonly budgets: { readonly dashboardMs: number; readonly searchMs: number; readonly riskMs: number };
}

export interface Dashboard {
  readonly freshness: Freshness;
  /** The position of the shard that is shown: the watermark, or what the first page began under. */
  readonly position: string;
  readonly issuer: IssuerAt | undefined;
  readonly open: readonly OpenAt[];
  readonly recent: Awaited<ReturnType<typeof recentDecisions>>;
  readonly nextPage: string | null;
}

export interface SearchResult {
  readonly freshness: Freshness;
  readonly found: readonly FoundDecision[];
  readonly nextPage: string | null;
}

export interface RiskReport {
  readonly freshness: Freshness;
  readonly shards: readonly ShardExposure[];
  readonly desks: readonly DeskExposure[];
  readonly bands: readonly UtilisationBand[];
}

/**
 * The questions that the projections answer, each from one snapshot with the watermarks that it is as of. Rejects with
 * `postgres_unreachable` (exit 7), `page_invalid` (exit 2) and `page_outdated` (exit 4).
 */
export class ProjectionReader {
  readonly #pool: SnapshotPool;
  readonly #options: ReaderOptions;

  private constructor(pool: SnapshotPool, options: ReaderOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  static async open(options: ReaderOptions): Promise<ProjectionReader> {
    return new ProjectionReader(await SnapshotPool.open(options), options);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** An issuer's exposure, a page of what is open, and its last decisions. */
  dashboard(request: {
    readonly shard: number;
    readonly issuer: string;
    readonly limit: number;
    readonly recentMax: number;
    readonly page?: string | undefined;
  }): Promise<Dashboard> {
    const { shard, issuer, limit } = request;
    const query = ['dashboard', issuer];
    const asked = request.page === undefined ? undefined : parsePage(query, request.page);
    return this.#pool.read(async (client) => {
      const nowMs = this.#options.nowMs();
      const facts = await readWatermarks(client, [shard]);
      const page = pageUnder(facts, asked);
      const position = page.positions.get(shard) ?? '0';
      const at = { shard, issuer, position };
      const after = String(page.after[0] ?? '');
      const open = await openAt(client, { ...at, after, limit: limit + 1 });
      const shown = open.slice(0, limit);
      const last = shown.at(-1)?.reservation;
      return {
        freshness: this.#freshness([shard], facts, nowMs, this.#options.budgets.dashboardMs),
        position,
        issuer: await issuerAt(client, at),
        open: shown,
        recent: await recentDecisions(client, { ...at, limit: request.recentMax }),
        nextPage:
          open.length > limit && last !== undefined ? formatPage(query, { ...page, after: [last] }) : null,
      };
    });
  }

  /**
   * Decisions of all shards, the best matches first and each kind of match newest first. Every page shows the state at the
   * watermarks of the first: what is decided meanwhile moves nothing.
   */
  search(request: {
    readonly query: SearchQuery;
    /** All of the estate: what has no watermark makes the answer's staleness unknown. */
    readonly shards: readonly number[];
    readonly limit: number;
    readonly page?: string | undefined;
  }): Promise<SearchResult> {
    const { query, limit } = request;
    const asked = request.page === undefined ? undefined : parsePage(query, request.page);
    return this.#pool.read(async (client) => {
      const nowMs = this.#options.nowMs();
      const facts = await readWatermarks(client, null);
      const page = pageUnder(facts, asked);
      const positions = positionsArray(page.positions);
      const [from, ...after] = page.after as [Match | undefined, ...(string | number)[]];
      const matches = matchesOf(query);
      const found: FoundDecision[] = [];
      for (const match of matches.slice(Math.max(0, from === undefined ? 0 : matches.indexOf(from)))) {
        const left = limit + 1 - found.length;
        // Whose very id or token was asked for isn't followed by what only resembles it.
        if (left <= 0 || found[0]?.match === 'id' || (from === 'id' && match !== 'id')) break;
        const past = match === from && after.length > 0 ? after : undefined;
        found.push(...(await searchDecisions(client, { query, positions, match, after: past, limit: left })));
      }
      const shown = found.slice(0, limit);
      const last = shown.at(-1);
      return {
        freshness: this.#freshness(request.shards, facts, nowMs, this.#options.budgets.searchMs),
        found: shown,
        nextPage:
          found.length > limit && last !== undefined
            ? formatPage(query, { ...page, after: [last.match, last.decided_at, last.shard, last.position] })
            : null,
      };
    });
  }

  /** Exposure by shard, desk and utilisation, all as of the same watermarks. */
  risk({ shards }: { readonly shards: readonly number[] }): Promise<RiskReport> {
    return this.#pool.read(async (client) => {
      const nowMs = this.#options.nowMs();
      const facts = await readWatermarks(client, null);
      return {
        freshness: this.#freshness(shards, facts, nowMs, this.#options.budgets.riskMs),
        shards: await exposureByShard(client),
        desks: await exposureByDesk(client),
        bands: await exposureByUtilisation(client),
      };
    });
  }

  #freshness(
    shards: readonly number[],
    facts: Parameters<typeof freshnessOf>[0]['facts'],
    nowMs: number,
    budgetMs: number,
  ): Freshness {
    const { clockSkewMaxMs } = this.#options;
    return freshnessOf({ shards, facts, nowMs, clockSkewMaxMs, budgetMs });
  }
}
