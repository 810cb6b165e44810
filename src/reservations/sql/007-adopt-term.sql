set local role capstan_owner;

-- Makes this Postgres agree with the map, under a term: what is decided later is decided under it. Refuses a term, an epoch or a
-- generation below what this Postgres has seen. Doing it again changes nothing.
--
-- `p_shards`: all shards that the map gives to the cluster, [{shard, generation, state, map_version, handover}]. An entry of an
-- earlier version of the map than the one seen here is refused: it could undo a seal. A shard that came from another
-- cluster has the position at which it was handed over: while the head here is below it, rows are missing, and the shard is
-- withheld: sealed, without a lineage row. Shards that are no longer in it are
-- marked `moved`. A changed shard's head is locked first, and every head when the term changes: batches in flight drain before
-- the authority changes, and what they commit belongs to the lineage before.
create function capstan.adopt_term(
  p_cluster text, p_epoch integer, p_term integer, p_reason text, p_shards jsonb, p_incarnation text default null
) returns json
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
declare
  v record;
  v_made integer;
  v_changed integer;
  v_moved integer;
  v_lineage integer;
  v_withheld integer[];
begin
  perform capstan.demand_leader();
  insert into capstan.cluster_state (cluster, epoch, term, estate_incarnation)
    values (p_cluster, p_epoch, p_term, p_incarnation) on conflict do nothing;
  select * into strict v from capstan.cluster_state for update;
  if v.cluster <> p_cluster then
    raise exception 'this is cluster %, not %', v.cluster, p_cluster using errcode = 'CP009';
  elsif v.estate_incarnation <> p_incarnation then
    raise exception 'this Postgres belongs to estate incarnation %, not %', v.estate_incarnation, p_incarnation
      using errcode = 'CP009';
  elsif v.epoch > p_epoch then
    raise exception 'epoch % was named; this Postgres has seen epoch %', p_epoch, v.epoch using errcode = 'CP008';
  elsif v.term > p_term then
    raise exception 'term % was named; this Postgres has seen term %', p_term, v.term using errcode = 'CP001';
  end if;

  -- Every head whose authority will change, in one order, before anything changes. Under a new term that is all of them: the
  -- lineage below begins after what the old term still commits.
  perform 1 from capstan.shard_head h
    left join pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, generation integer, state text)
      on m.shard = h.shard_id
    left join capstan.shard_authority a on a.shard_id = h.shard_id
    where v.term <> p_term or (a.generation, a.state) is distinct from (m.generation, m.state)
    order by h.shard_id for update of h;

  select a.shard_id, a.generation, m.generation as named, a.map_version, m.map_version as named_version into v
    from capstan.shard_authority a
    join pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, generation integer, map_version bigint)
      on m.shard = a.shard_id
    where a.generation > m.generation or a.map_version > m.map_version limit 1;
  if v.generation > v.named then
    raise exception 'generation % of shard % was named; this Postgres has seen generation %', v.named, v.shard_id, v.generation
      using errcode = 'CP002';
  elsif found then
    raise exception 'version % of the map was named for shard %; this Postgres has seen version %',
      v.named_version, v.shard_id, v.map_version using errcode = 'CP002';
  end if;

  update capstan.cluster_state
    set epoch = p_epoch, term = p_term, estate_incarnation = coalesce(estate_incarnation, p_incarnation)
    where (epoch, term) is distinct from (p_epoch, p_term)
      or (estate_incarnation is null and p_incarnation is not null);

  select coalesce(pg_catalog.array_agg(m.shard), '{}') into v_withheld
    from pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, handover bigint)
    left join capstan.shard_head h on h.shard_id = m.shard
    where coalesce(h.position, -1) < m.handover;

  -- Not ON CONFLICT: that would wait for a decision in flight on a head which is there already.
  insert into capstan.shard_head (shard_id, position, generation, term, epoch)
    select m.shard, 0, m.generation, p_term, p_epoch
      from pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, generation integer, state text)
      where m.shard <> all (v_withheld)
        and not exists (select 1 from capstan.shard_head h where h.shard_id = m.shard);
  get diagnostics v_made = row_count;

  insert into capstan.shard_authority as a (shard_id, cluster, generation, state, map_version)
    select m.shard, p_cluster, m.generation, case when m.shard = any (v_withheld) then 'sealed' else m.state end,
        coalesce(m.map_version, 0)
      from pg_catalog.jsonb_to_recordset(p_shards)
        as m(shard integer, generation integer, state text, map_version bigint)
      order by m.shard
    on conflict (shard_id) do update
      set cluster = excluded.cluster, generation = excluded.generation, state = excluded.state,
        map_version = greatest(a.map_version, excluded.map_version)
      where (a.cluster, a.generation, a.state) is distinct from (excluded.cluster, excluded.generation, excluded.state)
        or a.map_version < excluded.map_version;
  get diagnostics v_changed = row_count;

  update capstan.shard_authority a set state = 'moved'
    where a.state <> 'moved' and not exists (
      select 1 from pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer) where m.shard = a.shard_id);
  get diagnostics v_moved = row_count;

  insert into capstan.lineage (shard_id, generation, term, first_position, cluster, reason, began_at)
    select h.shard_id, m.generation, p_term, h.position + 1, p_cluster,
        case when exists (select 1 from capstan.lineage l where l.shard_id = m.shard and l.generation < m.generation)
            and not exists (select 1 from capstan.lineage l where l.shard_id = m.shard and l.generation = m.generation)
          then 'move' else p_reason end,
        capstan.wall_clock()
      from capstan.shard_head h
      join pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, generation integer, state text)
        on m.shard = h.shard_id
      where m.shard <> all (v_withheld)
    on conflict (shard_id, generation, term) do nothing;
  get diagnostics v_lineage = row_count;

  return pg_catalog.json_build_object('heads_made', v_made, 'authority_changed', v_changed, 'moved', v_moved,
    'lineage_written', v_lineage, 'withheld', pg_catalog.cardinality(v_withheld));
end $$;

reset role;
