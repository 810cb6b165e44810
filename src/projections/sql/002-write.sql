-- How entries of a log become rows. Whoever calls these holds the shard's watermark row locked and has checked that the entries
-- follow on it. The plan settings keep a plan that was made while the tables were small from scanning them when they are large.
set local role capstan_projections_owner;

-- Entries as src/domain/log-entry.ts has them, all of one shard, dense. One statement: each row is written once, whatever the entries
-- do to it, and a reservation that is made and released among them is released at once.
create function projection.write_entries(p_shard integer, p_entries jsonb) returns void
language plpgsql volatile
set search_path = projection, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  with e as materialized (
    select *
      from pg_catalog.jsonb_to_recordset(p_entries) as x(position bigint, generation integer, term integer, event text,
        issuer text, desk text, token text, reservation text, amount bigint, reserved_after bigint, limit_after bigint,
        reason text, decided_at timestamptz)
  ), released as materialized (
    select e.issuer, e.reservation, e.position, e.decided_at from e where e.event = 'released'
  ), decided as (
    insert into projection.decision (shard_id, position, generation, term, event, issuer_id, desk, reservation_token,
        reservation_id, amount_cents, reserved_after, limit_after, reason, decided_at, status, released_position,
        released_at)
      select p_shard, e.position, e.generation, e.term, e.event, e.issuer, e.desk, e.token, e.reservation, e.amount,
          e.reserved_after, e.limit_after, e.reason, e.decided_at,
          case when r.position is not null then 'released'
            when e.event = 'reserved' then 'open'
            when e.event in ('reserve_rejected', 'release_rejected') then 'rejected'
            when e.event = 'abandoned' then 'abandoned'
            else 'final' end,
          r.position, r.decided_at
        from e
        left join released r on e.event = 'reserved' and r.issuer = e.issuer and r.reservation = e.reservation
  ), closed as (
    update projection.decision d
      set status = 'released', released_position = r.position, released_at = r.decided_at
      from released r
      where d.shard_id = p_shard and d.issuer_id = r.issuer and d.reservation_id = r.reservation
        and d.event = 'reserved'
  ), opened as (
    insert into projection.open_reservation (shard_id, issuer_id, reservation_id, desk, amount_cents, reservation_token,
        position, decided_at)
      select p_shard, e.issuer, e.reservation, e.desk, e.amount, e.token, e.position, e.decided_at
        from e
        where e.event = 'reserved' and not exists (
          select 1 from released r where r.issuer = e.issuer and r.reservation = e.reservation)
  ), gone as (
    delete from projection.open_reservation o
      using released r
      where o.shard_id = p_shard and o.issuer_id = r.issuer and o.reservation_id = r.reservation
  ), exposed as (
    insert into projection.issuer as i (shard_id, issuer_id, limit_cents, reserved_cents, open_count, position, changed_at)
      select distinct on (e.issuer) p_shard, e.issuer, e.limit_after, e.reserved_after,
          sum(case e.event when 'reserved' then 1 when 'released' then -1 else 0 end) over (partition by e.issuer),
          e.position, e.decided_at
        from e
        where e.event in ('reserved', 'released', 'limit_set', 'corrected')
        order by e.issuer, e.position desc
      on conflict (shard_id, issuer_id) do update
        set limit_cents = excluded.limit_cents, reserved_cents = excluded.reserved_cents,
          open_count = i.open_count + excluded.open_count, position = excluded.position,
          changed_at = excluded.changed_at
  )
  insert into projection.desk_exposure as x (shard_id, desk, open_cents, open_count, position)
    select p_shard, e.desk, sum(case e.event when 'reserved' then e.amount else -e.amount end),
        sum(case e.event when 'reserved' then 1 else -1 end), max(e.position)
      from e
      where e.event in ('reserved', 'released')
      group by e.desk
    on conflict (shard_id, desk) do update
      set open_cents = x.open_cents + excluded.open_cents, open_count = x.open_count + excluded.open_count,
        position = excluded.position;
end $$;

-- The rows of these entries, and the watermark after them. `p_as_of` not null: by then the log held no more than this. What its source
-- has proved by now is kept as the shard's own where another one speaks, or something is left behind.
create function projection.advance(
  p_shard integer, p_entries jsonb, p_chain bytea, p_last_entry text, p_cluster text, p_source text, p_as_of timestamptz
) returns void
language plpgsql volatile
set search_path = projection, pg_temp
set jit = off
as $$
declare
  v_last jsonb := p_entries -> -1;
begin
  if v_last is not null then
    perform projection.write_entries(p_shard, p_entries);
  end if;
  update projection.watermark w
    set position = coalesce((v_last ->> 'position')::bigint, w.position),
      generation = coalesce((v_last ->> 'generation')::integer, w.generation),
      term = coalesce((v_last ->> 'term')::integer, w.term),
      decided_at = coalesce((v_last ->> 'decided_at')::timestamptz, w.decided_at),
      chain = p_chain, last_entry = p_last_entry, cluster = p_cluster,
      as_of = greatest(w.as_of, p_as_of, case when p_as_of is null or w.source <> p_source then
        (select m.as_of from projection.source_mark m where m.source = w.source) end),
      source = case when p_as_of is not null and w.source = p_source then w.source end,
      state = 'live', state_reason = null, applied_at = pg_catalog.clock_timestamp()
    where w.shard_id = p_shard;
end $$;

-- Makes a shard's rows those of an empty log; its watermark row is the caller's.
create function projection.forget_rows(p_shard integer) returns void
language sql volatile
begin atomic
  delete from projection.decision where shard_id = p_shard;
  delete from projection.open_reservation where shard_id = p_shard;
  delete from projection.issuer where shard_id = p_shard;
  delete from projection.desk_exposure where shard_id = p_shard;
end;

-- A source speaks no longer for a shard: what it had proved by then is kept as the shard's own.
create function projection.unlink_source(p_shards integer[]) returns void
language sql volatile
begin atomic
  update projection.watermark w
    set source = null,
      as_of = greatest(w.as_of, (select m.as_of from projection.source_mark m where m.source = w.source))
    where w.shard_id = any (p_shards) and w.source is not null;
end;

-- At `p_as_of` the source lacked nothing of these shards, as far as positions go that the caller knows to be applied. A shard that
-- stands below its own (the database has lost its tail in a crash), or isn't live, is not spoken for. Returns how many are.
create function projection.mark(
  p_source text, p_cluster text, p_member text, p_as_of timestamptz, p_shards integer[], p_positions bigint[]
) returns integer
language plpgsql volatile
set search_path = projection, pg_temp
set jit = off
as $$
declare
  v_old timestamptz;
  v_left integer[];
  v_count integer;
begin
  insert into projection.source_mark (source, cluster, member, as_of, marked_at)
    values (p_source, p_cluster, p_member, null, pg_catalog.clock_timestamp()) on conflict do nothing;
  select m.as_of into v_old from projection.source_mark m where m.source = p_source for update;
  select coalesce(pg_catalog.array_agg(w.shard_id), '{}') into v_left
    from projection.watermark w
    left join unnest(p_shards, p_positions) as s(shard, position) on s.shard = w.shard_id
    where w.source is not null
      and (w.source = p_source and (p_as_of < v_old or s.shard is null or w.position < s.position or w.state <> 'live')
        or w.source <> p_source and s.shard is not null);
  if pg_catalog.cardinality(v_left) > 0 then
    perform projection.unlink_source(v_left);
  end if;
  update projection.watermark w
    set source = p_source
    from unnest(p_shards, p_positions) as s(shard, position)
    where w.shard_id = s.shard and w.source is null and w.position >= s.position and w.state = 'live';
  update projection.source_mark m
    set cluster = p_cluster, member = p_member, as_of = p_as_of, marked_at = pg_catalog.clock_timestamp()
    where m.source = p_source;
  select count(*) into v_count from projection.watermark w where w.source = p_source;
  return v_count;
end $$;
reset role;
