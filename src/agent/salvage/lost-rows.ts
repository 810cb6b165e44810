import type { LossRecord, LostDecision } from '../../domain/loss-records.ts';
import { readClusterState } from '../../reservations/state-sql.ts';
import type { Session } from '../local-session.ts';

/** Shard -> the first position that the present log holds otherwise, or not at all. */
export type Cuts = ReadonlyMap<number, bigint>;

/** The least of what the leader's newer terms began at, and of what open records say is lost. Pure. */
export function cutsOf(
  began: readonly { readonly shard: number; readonly first: string }[],
  losses: readonly Pick<LossRecord, 'positions'>[],
): Cuts {
  const cuts = new Map<number, bigint>();
  const lower = (shard: number, first: bigint) => {
    const known = cuts.get(shard);
    if (known === undefined || first < known) cuts.set(shard, first);
  };
  for (const { shard, first } of began) lower(shard, BigInt(first));
  for (const { positions } of losses)
    for (const [shard, position] of Object.entries(positions)) lower(Number(shard), BigInt(position) + 1n);
  return cuts;
}

/** Asked of the leader: where each of its cluster's terms after `term` began, shard by shard. A moved shard has other clusters' too. */
export const NEWER_TERMS = `
  select shard_id as shard, min(first_position)::text as first from capstan.lineage
    where term > $1 and cluster = $2 group by shard_id`;

/** The highest term that this data knows of; 0 where it was never decided on. */
export async function termOfData(session: Session): Promise<number> {
  return (await session.use(readClusterState))?.term ?? 0;
}

interface LostRow {
  readonly shard: number;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly issuer: string;
  readonly token: string;
  readonly desk: string;
  readonly command: string;
  readonly outcome: string;
  readonly reservation: string | null;
  readonly amount: string | null;
  readonly reason: string | null;
  readonly hash: string | null;
  readonly decided_at: string;
}

/**
 * Of shards that this data's cluster owned, by the data itself. Rows of any other shard are another cluster's decisions: copied
 * in by a move that had not come to its end, or left behind by one that had.
 */
const LOST_ROWS = `
  select o.shard_id as shard, o.position::text, o.generation, o.term, o.issuer_id as issuer,
      o.reservation_token as token, o.desk, t.command, t.outcome, o.reservation_id as reservation,
      o.amount_cents::text as amount, o.reason, encode(t.body_hash, 'hex') as hash,
      to_char(o.decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as decided_at
    from jsonb_to_recordset($1::jsonb) as c(shard integer, first bigint)
    join capstan.shard_authority a on a.shard_id = c.shard and a.state <> 'moved'
    join capstan.outbox o on o.shard_id = c.shard and o.position >= c.first
    join capstan.reservation_token t
      on t.shard_id = o.shard_id and t.issuer_id = o.issuer_id and t.reservation_token = o.reservation_token
    where (o.shard_id, o.position) > ($2::integer, $3::bigint)
    order by o.shard_id, o.position limit $4`;

/** The rows beyond the cuts, in order, a chunk at a time. */
export async function* lostRows(
  session: Session,
  cuts: Cuts,
  about: { readonly heldBy: string; readonly maybeAcknowledged: boolean; readonly chunkRows: number },
): AsyncGenerator<readonly LostDecision[]> {
  const given = JSON.stringify([...cuts].map(([shard, first]) => ({ shard, first: String(first) })));
  let last: { readonly shard: number; readonly position: string } = { shard: -1, position: '0' };
  for (;;) {
    const rows = await session.query<LostRow>(LOST_ROWS, [given, last.shard, last.position, about.chunkRows]);
    const end = rows.at(-1);
    if (end === undefined) return;
    last = end;
    yield rows.map(({ decided_at: decidedAt, ...row }) => ({
      ...row,
      decidedAt,
      maybeAcknowledged: about.maybeAcknowledged,
      heldBy: [about.heldBy],
    }));
  }
}
