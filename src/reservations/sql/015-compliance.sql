-- What compliance may ask the authority for when a projection isn't enough: the newest decisions of the shards that it serves, bounded.
set local role capstan_owner;

-- At most `p_scan` positions of each shard are looked at, from its head back: `first` says from where. `p_filter` as in
-- src/reservations/search-log.ts; its words are sought anywhere in a decision's text. Reported once the recorded followers have
-- flushed it.
create function capstan.search_log(
  p_cluster text, p_epoch integer, p_term integer, p_shards integer[], p_filter jsonb, p_limit integer, p_scan bigint
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  q record;
  v_found json;
  v_shards json;
  v_limit integer := least(greatest(coalesce(p_limit, 0), 1), 500);
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  f := capstan.fence_cluster(p_cluster, p_epoch, p_term);
  select * into q from pg_catalog.jsonb_to_record(p_filter) as x(words text[], issuer text, prefix text, part text, desk text,
    amount_min bigint, amount_max bigint, since timestamptz, until timestamptz, status text, event text);
  with asked as materialized (
    select h.shard_id, h.position as head, greatest(h.position - p_scan, 0) + 1 as first
      from capstan.shard_head h
      join capstan.shard_authority a on a.shard_id = h.shard_id and a.cluster = p_cluster and a.state = 'serving'
      where h.shard_id = any (p_shards)
  ), looked as (
    select o.*, r.status as reservation_status, l.position as released_position, l.decided_at as released_at
      from asked a
      cross join lateral (
        select b.* from capstan.outbox b
          where b.shard_id = a.shard_id and b.position >= a.first
            and (q.issuer is null or b.issuer_id = q.issuer)
            and (q.prefix is null or pg_catalog.starts_with(b.issuer_id, q.prefix))
            and (q.part is null or pg_catalog.strpos(pg_catalog.lower(b.issuer_id), pg_catalog.lower(q.part)) > 0)
            and (q.desk is null or b.desk = q.desk)
            and (q.amount_min is null or b.amount_cents >= q.amount_min)
            and (q.amount_max is null or b.amount_cents <= q.amount_max)
            and (q.since is null or b.decided_at >= q.since)
            and (q.until is null or b.decided_at < q.until)
            and (q.event is null or b.event = q.event)
            and (q.words is null or not exists (
              select from unnest(q.words) as w(word) where pg_catalog.strpos(pg_catalog.lower(b.issuer_id || ' ' || b.desk
                || ' ' || b.reservation_token || ' ' || coalesce(b.reservation_id, '') || ' ' || coalesce(b.reason, '')),
                pg_catalog.lower(w.word)) = 0))
            and (q.status is null or q.status = case
              when b.event in ('reserve_rejected', 'release_rejected') then 'rejected'
              when b.event = 'abandoned' then 'abandoned'
              when b.event <> 'reserved' then 'final'
              else (select case v.status when 'confirmed' then 'open' else 'released' end from capstan.reservation v
                where v.shard_id = b.shard_id and v.issuer_id = b.issuer_id and v.reservation_id = b.reservation_id) end)
          order by b.position desc limit v_limit
      ) o
      left join capstan.reservation r on o.event = 'reserved' and r.shard_id = o.shard_id and r.issuer_id = o.issuer_id
        and r.reservation_id = o.reservation_id
      left join capstan.outbox l on r.status = 'released' and l.shard_id = o.shard_id and l.position = r.position
  ), newest as (
    select * from looked order by decided_at desc, shard_id desc, position desc limit v_limit
  )
  select
      (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('shard', n.shard_id, 'position', n.position::text,
          'generation', n.generation, 'term', n.term, 'event', n.event, 'issuer', n.issuer_id, 'desk', n.desk,
          'token', n.reservation_token, 'reservation', n.reservation_id, 'amount', n.amount_cents::text,
          'reserved_after', n.reserved_after::text, 'limit_after', n.limit_after::text, 'reason', n.reason,
          'decided_at', capstan.utc_text(n.decided_at),
          'status', case when n.event in ('reserve_rejected', 'release_rejected') then 'rejected'
            when n.event = 'abandoned' then 'abandoned' when n.event <> 'reserved' then 'final'
            when n.reservation_status = 'confirmed' then 'open' else 'released' end,
          'released_position', n.released_position::text, 'released_at', capstan.utc_text(n.released_at))
          order by n.decided_at desc, n.shard_id desc, n.position desc), '[]'::json) from newest n),
      (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('shard', a.shard_id, 'head', a.head::text,
          'first', a.first::text) order by a.shard_id), '[]'::json) from asked a)
    into v_found, v_shards;
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('left_ms', f.left_ms, 'leader', f.leader, 'found', v_found, 'shards', v_shards);
end $$;

grant execute on function capstan.search_log(text, integer, integer, integer[], jsonb, integer, bigint)
  to capstan_gateway, capstan_operator;
reset role;
