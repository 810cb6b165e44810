import type { SqlClient } from '../../postgres/sql-client.ts';

export interface ShardExposure {
  readonly shard: number;
  readonly reserved: string;
  readonly limit: string;
  readonly open_count: string;
  readonly issuers: number;
  readonly over_limit: number;
}

export interface DeskExposure {
  readonly desk: string;
  readonly reserved: string;
  readonly open_count: string;
}

/** Issuers by how much of their limit is reserved; the last band is over it. */
export interface UtilisationBand {
  readonly band: (typeof BANDS)[number];
  readonly issuers: number;
  readonly reserved: string;
  readonly limit: string;
}

export const BANDS = ['0-50%', '50-80%', '80-90%', '90-100%', 'over'] as const;

export async function exposureByShard(client: SqlClient): Promise<ShardExposure[]> {
  const { rows } = await client.query<ShardExposure>(
    `select shard_id as shard, sum(reserved_cents)::text as reserved, sum(limit_cents)::text as "limit",
        sum(open_count)::text as open_count, count(*)::integer as issuers,
        (count(*) filter (where reserved_cents > limit_cents))::integer as over_limit
      from projection.issuer group by shard_id order by shard_id`,
  );
  return rows;
}

export async function exposureByDesk(client: SqlClient): Promise<DeskExposure[]> {
  const { rows } = await client.query<DeskExposure>(
    `select desk, sum(open_cents)::text as reserved, sum(open_count)::text as open_count
      from projection.desk_exposure group by desk order by sum(open_cents) desc, desk`,
  );
  return rows;
}

export async function exposureByUtilisation(client: SqlClient): Promise<UtilisationBand[]> {
  const { rows } = await client.query<UtilisationBand>(
    `select b.band, count(*)::integer as issuers, sum(b.reserved_cents)::text as reserved, sum(b.limit_cents)::text as "limit"
      from (
        select reserved_cents, limit_cents,
            case when reserved_cents > limit_cents then 'over'
              when reserved_cents * 2 < limit_cents or reserved_cents = 0 then '0-50%'
              when reserved_cents::numeric * 5 < limit_cents::numeric * 4 then '50-80%'
              when reserved_cents::numeric * 10 < limit_cents::numeric * 9 then '80-90%'
              else '90-100%' end as band
          from projection.issuer
      ) b
      group by b.band`,
  );
  const found = new Map(rows.map((row) => [row.band, row]));
  return BANDS.map((band) => found.get(band) ?? { band, issuers: 0, reserved: '0', limit: '0' });
}
