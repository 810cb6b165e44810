-- An issuer as it stood at a position, read from a member that follows or from the leader. src/projections/SPEC.md has the
-- bound of a follower read.
set local role capstan_owner;

-- Its exposure and open reservations at a position, out of rows that may be further: a reservation changes once, and the log
-- holds what changed since. `p_head`: the shard's head in this snapshot. Refuses (CP017) a position too far back.
create function capstan.issuer_at(
  p_shard integer, p_issuer text, p_position bigint, p_head bigint, p_open boolean, p_after text, p_limit integer
) returns json
language plpgsql stable
as $$
declare
  e record;
  o record;
  v_limit integer := least(greatest(coalesce(p_limit, 0), 0), 1000);
  v_opened bigint := 0;
begin
  if p_head - p_position > 100000 then
    raise exception 'position % of shard % is too far behind its head at %', p_position, p_shard, p_head using errcode = 'CP017';
  end if;
  select x.limit_cents, x.reserved_cents, x.open_count, x.position into e
    from capstan.issuer_exposure x where x.shard_id = p_shard and x.issuer_id = p_issuer;
  if e.position > p_position then
    select count(*) filter (where b.event = 'reserved') - count(*) filter (where b.event = 'released') into v_opened
      from capstan.outbox b
      where b.shard_id = p_shard and b.position > p_position and b.position <= p_head and b.issuer_id = p_issuer;
    -- A busy issuer's last change is near; one that is rarely changed has few tokens.
    select b.limit_after as limit_cents, b.reserved_after as reserved_cents, (e.open_count - v_opened)::integer as open_count, b.position into o
      from capstan.outbox b
      where b.shard_id = p_shard and b.position <= p_position and b.position > p_position - 10000 and b.issuer_id = p_issuer
        and b.event in ('reserved', 'released', 'limit_set', 'corrected')
      order by b.position desc limit 1;
    if not found then
      select t.limit_after as limit_cents, t.reserved_after as reserved_cents, (e.open_count - v_opened)::integer as open_count, t.position into o
        from capstan.reservation_token t
        where t.shard_id = p_shard and t.issuer_id = p_issuer and t.position <= p_position and t.outcome = 'confirmed'
        order by t.position desc limit 1;
    end if;
    e := o;
  end if;
  select pg_catalog.json_agg(pg_catalog.json_build_object('reservation', r.reservation_id, 'desk', r.desk,
          'notional', r.notional_cents::text, 'token', r.reservation_token,
          'decided_position', r.decided_position::text, 'decided_at', r.decided_at) order by r.reservation_id)
          filter (where r.n <= v_limit) as rows,
        count(*) as count
    into o
    from (
      select s.*, row_number() over (order by s.reservation_id) as n
        from (
          (select s.* from capstan.reservation s
            where s.shard_id = p_shard and s.issuer_id = p_issuer and s.status = 'confirmed'
              and s.reservation_id > coalesce(p_after, '') and s.decided_position <= p_position
            order by s.reservation_id limit v_limit + 1)
          union all
          select s.* from capstan.outbox b
            join capstan.reservation s on s.shard_id = p_shard and s.issuer_id = p_issuer and s.reservation_id = b.reservation_id
            where b.shard_id = p_shard and b.position > p_position and b.position <= p_head and b.issuer_id = p_issuer
              and b.event = 'released' and s.decided_position <= p_position
              and s.reservation_id > coalesce(p_after, '')
        ) s
        order by s.reservation_id limit v_limit + 1
    ) r
    where p_open;
  return pg_catalog.json_build_object('found', e.limit_cents is not null, 'limit', e.limit_cents::text,
    'reserved', e.reserved_cents::text, 'open_count', e.open_count, 'position', e.position::text,
    'open', coalesce(o.rows, '[]'::json), 'more', coalesce(o.count > v_limit, false));
end $$;

-- As a member that follows shows it, in one snapshot with its proof. `p_at` null: at the bound. Refused when that isn't
-- reached here (CP015). `at` null: how old this is can't be told.
create function capstan.follow_issuer(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_sole_voter boolean,
  p_issuer text, p_open boolean, p_at bigint, p_after text, p_limit integer
) returns json
language plpgsql stable security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  v record;
  h record;
begin
  perform capstan.demand_follower(p_cluster, p_epoch, p_term);
  select b.*, case b.refused
      when 'CP002' then pg_catalog.format('generation %s of shard %s was named; that is not the one here', p_generation, p_shard)
      when 'CP004' then pg_catalog.format('shard %s is not owned by cluster %s, or not all of it is here', p_shard, p_cluster)
      when 'CP015' then pg_catalog.format('nothing of shard %s was called confirmed under generation %s yet', p_shard, p_generation)
      end as why
    into v from capstan.shard_bounds(p_cluster, p_term, array[p_shard], array[p_generation], p_sole_voter) b;
  if v.refused is not null then
    raise exception using errcode = v.refused, message = v.why;
  elsif p_at > v.bound then
    raise exception 'position % of shard % was named; this member may be quoted up to %', p_at, p_shard, v.bound
      using errcode = 'CP015';
  end if;
  select b.beat, b.term, case when v.vouched then capstan.utc_text(b.at) end as at into h from capstan.heartbeat b;
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'head_position', v.head::text, 'bound', v.bound::text, 'shown_position', coalesce(p_at, v.bound)::text,
    'at', h.at, 'beat', h.beat::text, 'beat_term', h.term, 'lineage', capstan.lineage_json(p_shard),
    'issuer', capstan.issuer_at(p_shard, p_issuer, coalesce(p_at, v.bound), v.head, p_open, p_after, p_limit));
end $$;

-- The same as the leader shows it, once the recorded followers have flushed what that is. `sealed`: another owner may have
-- decided since.
create function capstan.read_issuer_at(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer,
  p_issuer text, p_open boolean, p_at bigint, p_after text, p_limit integer
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v record;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, false);
  select b.*, case when b.refused is null and coalesce(p_at <= b.bound, true) then capstan.lineage_json(p_shard) end as lineage,
      case when b.refused is null and coalesce(p_at <= b.bound, true) then
        capstan.issuer_at(p_shard, p_issuer, coalesce(p_at, b.bound), b.head, p_open, p_after, p_limit) end as issuer
    into v from capstan.shard_bounds(p_cluster, p_term, array[p_shard], array[p_generation], true) b;
  if v.refused is not null then
    raise exception 'shard % is not served here, or not all of it is here', p_shard using errcode = v.refused;
  elsif v.issuer is null then
    raise exception 'position % of shard % was named; its head is at %', p_at, p_shard, v.head using errcode = 'CP015';
  end if;
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim, 'leader', f.leader,
    'sealed', not v.vouched, 'head_position', v.head::text, 'shown_position', coalesce(p_at, v.bound)::text,
    'lineage', v.lineage, 'issuer', v.issuer);
end $$;

grant execute on function
  capstan.follow_issuer(text, integer, integer, integer, integer, boolean, text, boolean, bigint, text, integer),
  capstan.read_issuer_at(text, integer, integer, integer, integer, text, boolean, bigint, text, integer)
  to capstan_gateway, capstan_operator;
reset role;
