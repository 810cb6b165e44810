import type { SqlClient } from '../../postgres/sql-client.ts';
import { refusedError } from '../../domain/errors.ts';
import { canonicalEntry, CHAIN_START, chainAfter, type LogEntry } from '../../domain/log-entry.ts';
import { type DecisionRow, Fold } from '../fold.ts';
import { type Difference, Differences, type ProjectionTable } from './differences.ts';
import { decisionRows, deskRows, issuerRows, openRows, watermarkRow } from './rows-sql.ts';

/** Rows beyond the watermark that are looked at; one is enough to say that the projection is wrong. */
const BEYOND_MAX = 1_000;

export interface VerifyOptions {
  /** A connection of its own; all is read in one snapshot. */
  readonly client: SqlClient;
  readonly shard: number;
  /** The shard's log from position 1 on, in order; what lies beyond the watermark isn't read. */
  readonly pages: AsyncIterable<readonly LogEntry[]>;
  readonly differencesMax: number;
  readonly signal?: AbortSignal;
}

export interface ShardVerified {
  readonly shard: number;
  /** Up to where both were compared: the watermark in the snapshot. */
  readonly position: string;
  readonly state: string;
  readonly equal: boolean;
  readonly differences: number;
  readonly first: readonly Difference[];
}

/**
 * Compares a shard's projections with the fold of its log at the watermark: every row of every table, and the chain. Memory holds what is
 * open, never the decisions. Throws `projection_log_short` (exit 4, retryable) when the log ends before the watermark and
 * `projection_log_broken` (exit 4) when it has a gap.
 */
export async function verifyShard(options: VerifyOptions): Promise<ShardVerified> {
  const { client } = options;
  await client.query('begin isolation level repeatable read read only');
  try {
    const verified = await compareAll(options);
    await client.query('commit');
    return verified;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function compareAll({
  client,
  shard,
  pages,
  differencesMax,
  signal,
}: VerifyOptions): Promise<ShardVerified> {
  const watermark = await watermarkRow(client, shard);
  const upTo = BigInt(watermark?.position ?? 0);
  const differences = new Differences(shard, differencesMax);
  const decisions = new DecisionComparison(differences);
  let chain: Buffer = CHAIN_START;
  let at = 0n;
  let last: LogEntry | undefined;
  for await (const page of pages) {
    signal?.throwIfAborted();
    const entries = page.filter(({ position }) => BigInt(position) <= upTo);
    const end = entries.at(-1);
    if (end === undefined) break;
    const rows = await decisionRows(client, {
      shard,
      after: at,
      to: BigInt(end.position),
      limit: entries.length,
    });
    for (const entry of entries) {
      at += 1n;
      if (BigInt(entry.position) !== at) throw broken(shard, at, entry.position);
      chain = chainAfter(chain, entry);
      decisions.add(entry, rows);
    }
    decisions.extra(rows);
    last = end;
    if (at === upTo) break;
  }
  if (at < upTo) throw short(shard, at, upTo);
  decisions.extra(await decisionRows(client, { shard, after: upTo, to: null, limit: BEYOND_MAX }));
  decisions.end();
  await compareTable(differences, 'issuer', decisions.fold.issuers, issuerRows(client, shard));
  await compareTable(differences, 'open_reservation', decisions.fold.open, openRows(client, shard));
  await compareTable(differences, 'desk_exposure', decisions.fold.desks, deskRows(client, shard));
  if (watermark !== undefined) {
    differences.compare(
      'watermark',
      '',
      {
        generation: last?.generation ?? 0,
        term: last?.term ?? 0,
        decided_at: last?.decided_at ?? null,
        chain: chain.toString('hex'),
        last_entry: last === undefined ? null : canonicalEntry(last),
      },
      watermark,
    );
  }
  return {
    shard,
    position: upTo.toString(),
    state: watermark?.state ?? 'absent',
    equal: differences.count === 0,
    differences: differences.count,
    first: differences.first,
  };
}

type Outcome = Pick<DecisionRow, 'status' | 'released_position' | 'released_at'>;

/**
 * What became of a reservation is known at its release, which may come much later in the log: until then only what its row says of
 * that is kept.
 */
class DecisionComparison {
  readonly fold = new Fold();
  readonly #differences: Differences;
  readonly #open = new Map<string, DecisionRow>();

  constructor(differences: Differences) {
    this.#differences = differences;
  }

  add(entry: LogEntry, rows: Map<string, DecisionRow>): void {
    const { row, closed } = this.fold.add(entry);
    const found = rows.get(entry.position);
    rows.delete(entry.position);
    if (entry.event === 'reserved' && found !== undefined) {
      this.#differences.compare('decision', entry.position, entry, found);
      this.#open.set(entry.position, found);
    } else {
      this.#differences.compare('decision', entry.position, row, found);
    }
    if (closed === undefined) return;
    const { position, by } = closed;
    this.#judge(position, { status: 'released', released_position: by.position, released_at: by.decided_at });
  }

  extra(rows: Map<string, DecisionRow>): void {
    for (const [position, row] of rows) this.#differences.compare('decision', position, undefined, row);
  }

  end(): void {
    for (const position of this.#open.keys()) {
      this.#judge(position, { status: 'open', released_position: null, released_at: null });
    }
  }

  #judge(position: string, expected: Outcome): void {
    const found = this.#open.get(position);
    this.#open.delete(position);
    if (found !== undefined) this.#differences.compare('decision', position, expected, found);
  }
}

async function compareTable<T extends object>(
  differences: Differences,
  table: ProjectionTable,
  expected: Map<string, T>,
  found: AsyncIterable<[string, T]>,
): Promise<void> {
  for await (const [key, row] of found) {
    differences.compare(table, shown(key), expected.get(key), row);
    expected.delete(key);
  }
  for (const [key, row] of expected) differences.compare(table, shown(key), row, undefined);
}

const shown = (key: string): string => key.replace('\u0000', '/');

const broken = (shard: number, due: bigint, found: string): Error =>
  refusedError(`the log of shard ${shard} has position ${found} where ${due} is due`, {
    code: 'projection_log_broken',
    data: { shard, position: due.toString(), found },
  });

const short = (shard: number, at: bigint, upTo: bigint): Error =>
  refusedError(`the log of shard ${shard} ends at ${at}, before the watermark ${upTo}`, {
    code: 'projection_log_short',
    retryable: true,
    next: 'the source that was asked is behind: ask again, or another one',
    data: { shard, log: at.toString(), watermark: upTo.toString() },
  });
