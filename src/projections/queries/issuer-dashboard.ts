import type { SqlClient } from '../../postgres/sql-client.ts';
import type { DecisionRow } from '../fold.ts';
import { utc } from '../verify/rows-sql.ts';

export interface IssuerAt {
  readonly limit: string;
  readonly reserved: string;
  readonly open_count: number;
  readonly position: string;
  readonly changed_at: string;
}

export interface OpenAt {
  readonly reservation: string;
  readonly desk: string;
  readonly amount: string;
  readonly token: string;
  readonly position: string;
  readonly decided_at: string;
}

interface At {
  readonly shard: number;
  readonly issuer: string;
  /** The state at this position is shown, whatever came since. */
  readonly position: string;
}

const CHANGES = `('reserved', 'released', 'limit_set', 'corrected')`;

/** An issuer's limit and exposure as they were at a position; undefined: it had no limit. */
export async function issuerAt(
  client: SqlClient,
  { shard, issuer, position }: At,
): Promise<IssuerAt | undefined> {
  const { rows } = await client.query<IssuerAt>(
    `select d.limit_after as "limit", d.reserved_after as reserved, d.position, ${utc('d.decided_at')} as changed_at,
        i.open_count - (
          select coalesce(sum(case l.event when 'reserved' then 1 else -1 end), 0)
            from projection.decision l
            where l.issuer_id = $2 and l.shard_id = $1 and l.position > $3 and l.event in ('reserved', 'released')
        )::integer as open_count
      from projection.decision d
      join projection.issuer i on i.shard_id = d.shard_id and i.issuer_id = d.issuer_id
      where d.issuer_id = $2 and d.shard_id = $1 and d.position <= $3 and d.event in ${CHANGES}
      order by d.position desc limit 1`,
    [shard, issuer, position],
  );
  return rows[0];
}

/** The reservations that were open at a position, by id. */
export async function openAt(
  client: SqlClient,
  { shard, issuer, position, after, limit }: At & { readonly after: string; readonly limit: number },
): Promise<OpenAt[]> {
  const { rows } = await client.query<OpenAt>(
    `select o.reservation_id as reservation, o.desk, o.amount_cents as amount, o.reservation_token as token, o.position,
        ${utc('o.decided_at')} as decided_at
      from (
        (select reservation_id, desk, amount_cents, reservation_token, position, decided_at
          from projection.open_reservation
          where shard_id = $1 and issuer_id = $2 and reservation_id > $4 and position <= $3
          order by reservation_id limit $5)
        union all
        -- Open then, released since.
        select d.reservation_id, d.desk, d.amount_cents, d.reservation_token, d.position, d.decided_at
          from projection.decision r
          join projection.decision d on d.shard_id = $1 and d.issuer_id = $2 and d.reservation_id = r.reservation_id
            and d.event = 'reserved'
          where r.issuer_id = $2 and r.shard_id = $1 and r.position > $3 and r.event = 'released'
            and d.position <= $3 and d.reservation_id > $4
      ) o
      order by o.reservation_id limit $5`,
    [shard, issuer, position, after, limit],
  );
  return rows;
}

/** An issuer's last decisions at a position, newest first. */
export async function recentDecisions(
  client: SqlClient,
  { shard, issuer, position, limit }: At & { readonly limit: number },
): Promise<
  Pick<
    DecisionRow,
    'position' | 'event' | 'desk' | 'token' | 'reservation' | 'amount' | 'reason' | 'decided_at'
  >[]
> {
  const { rows } = await client.query<DecisionRow>(
    `select position, event, desk, reservation_token as token, reservation_id as reservation, amount_cents as amount,
        reason, ${utc('decided_at')} as decided_at
      from projection.decision
      where issuer_id = $2 and shard_id = $1 and position <= $3
      order by position desc limit $4`,
    [shard, issuer, position, limit],
  );
  return rows;
}
