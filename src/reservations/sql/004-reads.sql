-- What the leader reports. Nothing is reported before the recorded followers have flushed it, also when a cancelled sync
-- wait has made it visible here.
set local role capstan_owner;

-- A token's outcome, from the authority. It locks the head's row, so that its own commit waits for the follower: by then
-- all that it saw is flushed there. A seal, a closed admission or an RPO bound don't stop it.
create function capstan.resolve(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_issuer text, p_token text
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v_head bigint;
  v_outcome json;
  v_hash text;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  select position into v_head from capstan.shard_head where shard_id = p_shard for update;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, false);
  if v_head is null then
    raise exception 'shard % has no head here', p_shard using errcode = 'CP004';
  end if;
  v_outcome := capstan.stored_outcome(p_shard, p_issuer, p_token);
  select pg_catalog.encode(body_hash, 'hex') into v_hash from capstan.reservation_token
    where shard_id = p_shard and issuer_id = p_issuer and reservation_token = p_token;
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim,
    'status', coalesce(v_outcome ->> 'outcome', 'not_found'), 'head_position', v_head::text, 'leader', f.leader,
    'hash', v_hash, 'outcome', v_outcome);
end $$;

-- Gives a reading transaction a commit that waits for the follower, as a decision's does, without the head's lock. Its record
-- comes after every commit that the reader's snapshot shows, so those are flushed there too; and a leader that a failover has
-- cut from its follower can't finish it, so it can't answer with what has since become old.
create function capstan.wait_at_commit() returns void
language sql volatile as $$ select pg_catalog.pg_logical_emit_message(true, 'capstan.read', '') $$;

-- An issuer's exposure and open reservations, reported once the follower has flushed what they show.
create function capstan.read_issuer(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer,
  p_issuer text, p_open boolean, p_after text, p_limit integer
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v record;
  v_limit integer := least(greatest(coalesce(p_limit, 0), 0), 1000);
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, false);
  select h.position as head_position, e.limit_cents, e.reserved_cents, e.open_count, e.position, o.rows, o.count
    into v
    from capstan.shard_head h
    left join capstan.issuer_exposure e on e.shard_id = h.shard_id and e.issuer_id = p_issuer
    left join lateral (
      select pg_catalog.json_agg(pg_catalog.json_build_object('reservation', r.reservation_id, 'desk', r.desk,
            'notional', r.notional_cents::text, 'token', r.reservation_token,
            'decided_position', r.decided_position::text, 'decided_at', r.decided_at) order by r.reservation_id)
            filter (where r.n <= v_limit) as rows,
          count(*) as count
        from (
          select s.*, row_number() over (order by s.reservation_id) as n
            from capstan.reservation s
            where s.shard_id = p_shard and s.issuer_id = p_issuer and s.status = 'confirmed'
              and s.reservation_id > coalesce(p_after, '')
            order by s.reservation_id limit v_limit + 1
        ) r
        where p_open
    ) o on p_open
    where h.shard_id = p_shard;
  if v.head_position is null then
    raise exception 'shard % has no head here', p_shard using errcode = 'CP004';
  end if;
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim,
    'found', v.limit_cents is not null, 'head_position', v.head_position::text, 'leader', f.leader,
    'limit', v.limit_cents::text, 'reserved', v.reserved_cents::text, 'open_count', v.open_count,
    'position', v.position::text, 'open', coalesce(v.rows, '[]'::json), 'more', coalesce(v.count > v_limit, false));
end $$;

reset role;
