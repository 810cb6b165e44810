/** Many decisions at once, as `decide` would have left them: for what needs rows, and not the path that makes them. */
import type { ClientBase } from 'pg';
import { shardOf, type ShardId } from '../../src/domain/shard.ts';

export interface SeedOptions {
  /** A superuser of the leader that owns the shards. */
  readonly client: ClientBase;
  readonly shards: readonly ShardId[];
  readonly shardCount: number;
  /** Each is a token, an entry of the log, and, but for the first, a reservation. */
  readonly decisionsPerShard: number;
}

export interface SeededShard {
  readonly shard: ShardId;
  readonly issuer: string;
}

/** Cents of each reservation; the limit leaves room for whatever comes later. */
const NOTIONAL = 100;
const LIMIT = 10n ** 15n;

/** Writes a limit and confirmed reservations of one new issuer a shard, one transaction a shard, behind what is there. */
export async function seedDecisions(options: SeedOptions): Promise<readonly SeededShard[]> {
  const { client, shards, shardCount, decisionsPerShard } = options;
  const seeded = issuersOf(shards, shardCount);
  // The commit check is for decisions; these are rows.
  await client.query('set session_replication_role = replica');
  try {
    for (const { shard, issuer } of seeded) {
      await client.query(`begin; set local statement_timeout = 0; set local synchronous_commit = local`);
      await client.query('select 1 from capstan.shard_head where shard_id = $1 for update', [shard]);
      await client.query(SEED_ROWS, [shard, issuer, decisionsPerShard, NOTIONAL, String(LIMIT)]);
      await client.query('commit');
    }
  } finally {
    await client.query('rollback').catch(() => undefined);
    await client.query('set session_replication_role = origin');
  }
  return seeded;
}

/** One issuer for each shard, found by its name's hash. */
export function issuersOf(shards: readonly ShardId[], shardCount: number): readonly SeededShard[] {
  const wanted = new Set(shards);
  const found = new Map<ShardId, string>();
  for (let number = 0; found.size < wanted.size; number += 1) {
    const issuer = `SEED-${number}`;
    const shard = shardOf(issuer, shardCount);
    if (wanted.has(shard) && !found.has(shard)) found.set(shard, issuer);
  }
  return [...found].map(([shard, issuer]) => ({ shard, issuer })).toSorted((a, b) => a.shard - b.shard);
}

/** The first is the issuer's limit, all others are reservations. */
const SEED_ROWS = `
  with scope as (
    select h.position as base, a.generation, s.term, s.epoch
      from capstan.shard_head h
      join capstan.shard_authority a using (shard_id)
      cross join capstan.cluster_state s
      where h.shard_id = $1
  ), numbered as (
    select scope.*, scope.base + n as position, n = 1 as limits, 'seed-' || scope.base + n as token,
        case when n > 1 then 'seed-r-' || scope.base + n end as reservation,
        case when n = 1 then $5::bigint else $4::bigint end as amount, $4::bigint * (n - 1) as reserved
      from scope, generate_series(1, $3::bigint) n
  ), exposure as (
    insert into capstan.issuer_exposure (shard_id, issuer_id, limit_cents, reserved_cents, open_count, position)
      select $1, $2, $5::bigint, $4::bigint * ($3::bigint - 1), $3::bigint - 1, base + $3::bigint from scope
  ), reservations as (
    insert into capstan.reservation (shard_id, issuer_id, reservation_id, desk, notional_cents, status, reservation_token,
        decided_position, position, decided_at)
      select $1, $2, reservation, 'madrid', amount, 'confirmed', token, position, position, now()
        from numbered where not limits
  ), tokens as (
    insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, body_hash, outcome,
        reservation_id, amount_cents, reserved_after, limit_after, position, generation, term, decided_at)
      select $1, $2, token, case when limits then 'set-limit' else 'reserve' end, 'madrid', sha256(token::bytea), 'confirmed',
          reservation, amount, reserved, $5::bigint, position, generation, term, now()
        from numbered
  ), log as (
    insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token,
        reservation_id, amount_cents, reserved_after, limit_after, decided_at)
      select $1, position, generation, term, case when limits then 'limit_set' else 'reserved' end, $2, 'madrid', token,
          reservation, amount, reserved, $5::bigint, now()
        from numbered
  )
  update capstan.shard_head h
    set position = scope.base + $3::bigint, generation = scope.generation, term = scope.term, epoch = scope.epoch,
      decided_at = now()
    from scope where h.shard_id = $1`;
