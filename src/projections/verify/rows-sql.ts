import type { SqlClient } from '../../postgres/sql-client.ts';
import { type DecisionRow, type DeskRow, type IssuerRow, type OpenRow, reservationKey } from '../fold.ts';

/** Times as the log has them: equal times are equal texts. */
export const utc = (column: string): string =>
  `pg_catalog.to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export interface WatermarkRow {
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly decided_at: string | null;
  readonly chain: string;
  readonly last_entry: string | null;
  readonly state: string;
}

export async function watermarkRow(client: SqlClient, shard: number): Promise<WatermarkRow | undefined> {
  const { rows } = await client.query<WatermarkRow>(
    `select position, generation, term, ${utc('decided_at')} as decided_at, pg_catalog.encode(chain, 'hex') as chain,
        last_entry, state
      from projection.watermark where shard_id = $1`,
    [shard],
  );
  return rows[0];
}

/** The decisions of a range of positions, by position. `to` null: without an end, but no more than `limit`. */
export async function decisionRows(
  client: SqlClient,
  { shard, after, to, limit }: { shard: number; after: bigint; to: bigint | null; limit: number },
): Promise<Map<string, DecisionRow>> {
  const { rows } = await client.query<DecisionRow>(
    `select position, generation, term, event, issuer_id as issuer, desk, reservation_token as token,
        reservation_id as reservation, amount_cents as amount, reserved_after, limit_after, reason,
        ${utc('decided_at')} as decided_at, status, released_position, ${utc('released_at')} as released_at
      from projection.decision
      where shard_id = $1 and position > $2 and ($3::bigint is null or position <= $3) order by position limit $4`,
    [shard, after.toString(), to?.toString() ?? null, limit],
  );
  return new Map(rows.map((row) => [row.position, row]));
}

const CHUNK_ROWS = 5_000;

export async function* issuerRows(client: SqlClient, shard: number): AsyncGenerator<[string, IssuerRow]> {
  type Row = IssuerRow & { issuer_id: string };
  yield* keyset<Row, IssuerRow>(
    (last) =>
      client.query<Row>(
        `select issuer_id, limit_cents, reserved_cents, open_count, position, ${utc('changed_at')} as changed_at
          from projection.issuer where shard_id = $1 and issuer_id > $2 order by issuer_id limit ${CHUNK_ROWS}`,
        [shard, last?.issuer_id ?? ''],
      ),
    (row) => row.issuer_id,
  );
}

export async function* openRows(client: SqlClient, shard: number): AsyncGenerator<[string, OpenRow]> {
  type Row = OpenRow & { issuer_id: string; reservation_id: string };
  yield* keyset<Row, OpenRow>(
    (last) =>
      client.query<Row>(
        `select issuer_id, reservation_id, desk, amount_cents, reservation_token, position, ${utc('decided_at')} as decided_at
          from projection.open_reservation where shard_id = $1 and (issuer_id, reservation_id) > ($2, $3)
          order by issuer_id, reservation_id limit ${CHUNK_ROWS}`,
        [shard, last?.issuer_id ?? '', last?.reservation_id ?? ''],
      ),
    (row) => reservationKey(row.issuer_id, row.reservation_id),
  );
}

export async function* deskRows(client: SqlClient, shard: number): AsyncGenerator<[string, DeskRow]> {
  type Row = DeskRow & { desk: string };
  yield* keyset<Row, DeskRow>(
    (last) =>
      client.query<Row>(
        `select desk, open_cents, open_count, position
          from projection.desk_exposure where shard_id = $1 and desk > $2 order by desk limit ${CHUNK_ROWS}`,
        [shard, last?.desk ?? ''],
      ),
    (row) => row.desk,
  );
}

async function* keyset<R extends O, O>(
  chunk: (last: R | undefined) => Promise<{ rows: R[] }>,
  keyOf: (row: R) => string,
): AsyncGenerator<[string, O]> {
  let last: R | undefined;
  do {
    const { rows } = await chunk(last);
    for (const row of rows) yield [keyOf(row), row];
    last = rows.length < CHUNK_ROWS ? undefined : rows.at(-1);
  } while (last !== undefined);
}
