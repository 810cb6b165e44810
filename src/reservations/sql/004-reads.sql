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

-- Waits until enough of the recorded followers have flushed up to the LSN, at most so long. False: they had not.
create function capstan.flushed_by_followers(p_lsn pg_lsn, p_members text[], p_required integer, p_wait_ms integer)
returns boolean
language plpgsql volatile as $$
declare
  v_until timestamptz := pg_catalog.clock_timestamp() + p_wait_ms * interval '1 millisecond';
  v_count integer;
begin
  loop
    select count(distinct a.application_name) into v_count
      from pg_catalog.pg_stat_get_wal_senders() w
      cross join lateral pg_catalog.pg_stat_get_activity(w.pid) a
      where w.flush_lsn >= p_lsn and a.application_name = any (p_members);
    if v_count >= p_required then
      return true;
    elsif pg_catalog.clock_timestamp() >= v_until then
      return false;
    end if;
    perform pg_catalog.pg_sleep(0.001);
    perform pg_catalog.pg_stat_clear_snapshot();
  end loop;
end $$;

-- An issuer's exposure and open reservations: the snapshot first, then the local flush LSN, then the followers.
--
-- The flush LSN is enough: whatever decided rows a snapshot shows were flushed here before they became visible (the fence
-- refuses synchronous_commit=off at commit). The insert LSN would also wait for records that nobody flushes at once,
-- such as the unlogged lease's own commits.
create function capstan.read_issuer(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer,
  p_issuer text, p_open boolean, p_after text, p_limit integer, p_wait_ms integer
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v record;
  v_flushed boolean;
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
  v_flushed := capstan.flushed_by_followers(pg_catalog.pg_current_wal_flush_lsn(), f.sync_members, f.sync_required,
    least(greatest(p_wait_ms, 0), 60000));
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim,
    'flushed', v_flushed, 'found', v.limit_cents is not null, 'head_position', v.head_position::text, 'leader', f.leader,
    'limit', v.limit_cents::text, 'reserved', v.reserved_cents::text, 'open_count', v.open_count,
    'position', v.position::text, 'open', coalesce(v.rows, '[]'::json), 'more', coalesce(v.count > v_limit, false));
end $$;

reset role;
