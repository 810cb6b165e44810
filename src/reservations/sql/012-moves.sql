-- Shards on the move between clusters: the seal at the owner, and rows that arrive at the other one. What is here is local to a
-- cluster; only the six tables that the last grant names are ever published.
set local role capstan_owner;

-- Which copy of a shard this Postgres makes room for, or has made room for. It stays, so that a wipe which was held up meets it.
-- `revision`: of the state of etcd that the wipe was decided on.
create table capstan.arrival (
  shard_id integer primary key,
  operation text not null,
  attempt integer not null,
  revision bigint not null,
  wiped boolean not null default false
);

-- Seals shards: no decision is made from its commit on, and each head carries the marker, which travels with the rows. Takes the
-- heads in order, so batches in flight drain first, and `cluster_state`, so no adoption runs beside it. Doing it again changes
-- nothing. Answers shard -> position.
--
-- `p_shards`: [{shard, generation, map_version, handover}]; the map's version that sealed them. One that was read before a later
-- version was adopted here seals nothing; nor is a shard handed on whose rows end below the handover that brought it.
create function capstan.seal_shards(p_cluster text, p_term integer, p_shards jsonb, p_marker text) returns json
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
declare
  v record;
  v_positions json;
begin
  perform capstan.demand_leader();
  select * into v from capstan.cluster_state for share;
  if v.cluster is distinct from p_cluster then
    raise exception 'this is cluster %, not %', coalesce(v.cluster, '(none adopted)'), p_cluster using errcode = 'CP009';
  elsif v.term <> p_term then
    raise exception 'term % was named; this is term %', p_term, v.term using errcode = 'CP001';
  end if;
  perform 1 from capstan.shard_head h
    join pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer) on m.shard = h.shard_id
    order by h.shard_id for update of h;

  select m.shard, m.generation as named, m.map_version as named_version, a.generation, a.state, a.map_version,
      h.shard_id is not null as has_head, h.position, m.handover
    into v
    from pg_catalog.jsonb_to_recordset(p_shards)
      as m(shard integer, generation integer, map_version bigint, handover bigint)
    left join capstan.shard_authority a on a.shard_id = m.shard and a.cluster = p_cluster
    left join capstan.shard_head h on h.shard_id = m.shard
    where h.shard_id is null or a.generation is distinct from m.generation
      or a.state is null or a.state not in ('serving', 'sealed') or a.map_version > m.map_version
      or h.position < m.handover
    order by m.shard limit 1;
  if found then
    if v.state is null or v.state = 'moved' or not v.has_head then
      raise exception 'shard % is not owned by cluster %', v.shard, p_cluster using errcode = 'CP004';
    end if;
    if v.position < v.handover then
      raise exception 'shard % ends at %, below its handover at %', v.shard, v.position, v.handover using errcode = 'CP004';
    end if;
    raise exception 'generation % of shard % in version % of the map was named; this Postgres has seen generation % in version %',
      v.named, v.shard, v.named_version, v.generation, v.map_version using errcode = 'CP002';
  end if;

  update capstan.shard_authority a set state = 'sealed', map_version = m.map_version
    from pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer, map_version bigint)
    where a.shard_id = m.shard and (a.state <> 'sealed' or a.map_version < m.map_version);
  update capstan.shard_head h set marker = p_marker
    from pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer)
    where h.shard_id = m.shard and h.marker is distinct from p_marker;
  select pg_catalog.json_object_agg(h.shard_id, h.position::text) into v_positions
    from capstan.shard_head h join pg_catalog.jsonb_to_recordset(p_shards) as m(shard integer) on m.shard = h.shard_id;
  return v_positions;
end $$;

-- Deletes up to `p_rows` rows of shards that are not served here, for one copy of them, and answers what it deleted and what is
-- left (counted up to 100,000). Refused (CP014) for a shard that is served or sealed here, for an attempt or a state of etcd below
-- what the arrival row has seen; and a copy that was once found without rows is never deleted from again. So a request that was
-- held up, for whatever time, takes no row of a later copy, nor of its own.
create function capstan.wipe_shards(
  p_operation text, p_attempt integer, p_revision bigint, p_shards integer[], p_rows integer
) returns json
language plpgsql volatile security definer set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  v record;
  v_table text;
  v_some integer;
  v_deleted integer := 0;
  v_left integer := 0;
begin
  perform capstan.demand_leader();
  if p_rows not between 1 and 100000 then
    raise exception 'between 1 and 100000 rows are deleted at once, not %', p_rows using errcode = '22023';
  end if;
  insert into capstan.arrival (shard_id, operation, attempt, revision)
    select s, p_operation, p_attempt, p_revision from pg_catalog.unnest(p_shards) s order by s
    on conflict (shard_id) do nothing;
  perform 1 from capstan.arrival where shard_id = any (p_shards) order by shard_id for update;
  -- No adoption may begin to serve one of them meanwhile.
  perform 1 from capstan.cluster_state for share;

  select a.* into v from capstan.shard_authority a
    where a.shard_id = any (p_shards) and a.state in ('serving', 'sealed') order by a.shard_id limit 1;
  if found then
    raise exception 'shard % is % here', v.shard_id, v.state using errcode = 'CP014';
  end if;
  select * into v from capstan.arrival a where a.shard_id = any (p_shards)
      and (a.revision > p_revision or (a.operation = p_operation and a.attempt > p_attempt))
    order by a.shard_id limit 1;
  if found then
    raise exception 'attempt % of % for shard % has been overtaken by attempt % of %',
      p_attempt, p_operation, v.shard_id, v.attempt, v.operation using errcode = 'CP014';
  end if;
  if not exists (select 1 from capstan.arrival a where a.shard_id = any (p_shards)
      and not (a.operation = p_operation and a.attempt = p_attempt and a.wiped)) then
    return pg_catalog.json_build_object('deleted', 0, 'left', 0);
  end if;
  update capstan.arrival a
    set operation = p_operation, attempt = p_attempt, revision = p_revision,
      wiped = a.wiped and a.operation = p_operation and a.attempt = p_attempt
    where a.shard_id = any (p_shards);

  foreach v_table in array '{outbox,reservation_token,reservation,issuer_exposure,lineage,shard_head}'::text[] loop
    exit when v_deleted = p_rows;
    execute pg_catalog.format(
      'delete from capstan.%1$I where ctid = any (array(select ctid from capstan.%1$I where shard_id = any ($1) limit $2))',
      v_table) using p_shards, p_rows - v_deleted;
    get diagnostics v_some = row_count;
    v_deleted := v_deleted + v_some;
  end loop;
  foreach v_table in array '{outbox,reservation_token,reservation,issuer_exposure,lineage,shard_head}'::text[] loop
    execute pg_catalog.format(
      'select count(*)::integer from (select 1 from capstan.%1$I where shard_id = any ($1) limit 100000) r', v_table)
      into v_some using p_shards;
    v_left := v_left + v_some;
  end loop;
  if v_left = 0 then
    update capstan.arrival set wiped = true where shard_id = any (p_shards);
  end if;
  return pg_catalog.json_build_object('deleted', v_deleted, 'left', v_left);
end $$;

grant execute on function
  capstan.seal_shards(text, integer, jsonb, text),
  capstan.wipe_shards(text, integer, bigint, integer[], integer)
  to capstan_agent;
grant select on capstan.arrival to capstan_agent;

-- What a subscription reads of its publisher: the tables that move with a shard, and no others.
grant usage on schema capstan to capstan_replication;
grant select on capstan.shard_head, capstan.issuer_exposure, capstan.reservation, capstan.reservation_token, capstan.outbox,
  capstan.lineage to capstan_replication;

reset role;
