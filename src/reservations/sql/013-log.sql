-- What is confirmed, as the leader says while its lease holds (heartbeats), and the log as it is read from a leader or from a
-- member that follows. src/projections/SPEC.md says what each promises. Both tables are local to a cluster: its followers have
-- them by physical replication, so that a snapshot which shows a heartbeat shows every row that it confirms.
set local role capstan_owner;

-- A snapshot that shows it lacks nothing that was confirmed to anybody before `at`, in a shard that it shows as serving.
create table capstan.heartbeat (
  one boolean primary key default true check (one),
  cluster text not null,
  term integer not null,
  epoch integer not null,
  leader text not null,
  beat bigint not null,
  at timestamptz not null
) with (fillfactor = 10);

-- Flushed on the recorded followers, and confirmed if anything was: up to here a member that runs ahead may be quoted.
create table capstan.confirmed_position (
  shard_id integer primary key,
  generation integer not null,
  position bigint not null
) with (fillfactor = 50);

-- UTC, with microseconds: equal times are equal texts, whatever the session's settings.
create function capstan.utc_text(p_at timestamptz) returns text
language sql stable as $$
  select pg_catalog.to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- The fence of a leader read, for all of a cluster: through any shard that it owns.
create function capstan.fence_cluster(
  p_cluster text, p_epoch integer, p_term integer, out checked_at timestamptz, out left_ms bigint, out leader text
)
language plpgsql volatile as $$
declare
  v record;
begin
  select a.shard_id, a.generation into v from capstan.shard_authority a
    where a.cluster = p_cluster and a.state in ('serving', 'sealed') order by a.shard_id limit 1;
  if not found then
    perform capstan.refuse(p_cluster, p_epoch, null, null, p_term, false);
  end if;
  select f.checked_at, f.left_ms, f.leader into checked_at, left_ms, leader
    from capstan.fence(p_cluster, p_epoch, v.shard_id, v.generation, p_term, false) f;
end $$;

-- The first half of a heartbeat: the moment, then the heads that the last beat doesn't have. `p_due` false asks only whether
-- there is anything to say: without it nothing is written, and `at` is null. Otherwise its commit waits for the recorded
-- followers. That proves that they have flushed all that it saw, and that at `at` no failover had cut this leader from them:
-- a lease alone doesn't, for in region the followers' freeze lets another leader open before the lease has run out.
create function capstan.read_heads(p_cluster text, p_epoch integer, p_term integer, p_due boolean) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set jit = off
as $$
declare
  f record;
  v record;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  f := capstan.fence_cluster(p_cluster, p_epoch, p_term);
  -- A shard that is withheld has no lineage here under this term: its rows are not all there.
  select (select b.beat from capstan.heartbeat b) as beat, pg_catalog.json_agg(
        pg_catalog.json_build_array(h.shard_id, a.generation, h.position::text) order by h.shard_id) as heads
    into v
    from capstan.shard_authority a
    join capstan.shard_head h on h.shard_id = a.shard_id
    join capstan.lineage l on l.shard_id = a.shard_id and l.generation = a.generation and l.term = p_term
    left join capstan.confirmed_position c on c.shard_id = a.shard_id and c.generation = a.generation
    where a.cluster = p_cluster and a.state in ('serving', 'sealed') and c.position is distinct from h.position;
  if v.heads is null and not p_due then
    return pg_catalog.json_build_object('at', null, 'beat', coalesce(v.beat, 0)::text, 'heads', '[]'::json);
  end if;
  -- A session that hides warnings would take a cancelled wait for a proof.
  perform pg_catalog.set_config('client_min_messages', 'warning', true);
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('at', capstan.utc_text(f.checked_at), 'beat', coalesce(v.beat, 0)::text,
    'heads', coalesce(v.heads, '[]'::json));
end $$;

-- The second half: says what the first one read, under the fence again, in a commit that waits for no follower. `p_after`: the
-- beat that the first half saw; if another came since, nothing is written (`overtaken`), so one that was held up takes nothing back.
create function capstan.beat(
  p_cluster text, p_epoch integer, p_term integer, p_after bigint, p_at timestamptz, p_heads jsonb
) returns text
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set jit = off
as $$
declare
  f record;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  f := capstan.fence_cluster(p_cluster, p_epoch, p_term);
  insert into capstan.heartbeat as b (cluster, term, epoch, leader, beat, at)
    select p_cluster, p_term, p_epoch, f.leader, p_after + 1, least(p_at, f.checked_at)
      where p_after = 0 or exists (select 1 from capstan.heartbeat)
    on conflict (one) do update
      set cluster = excluded.cluster, term = excluded.term, epoch = excluded.epoch, leader = excluded.leader,
        beat = excluded.beat, at = excluded.at
      where b.beat = p_after;
  if not found then
    return 'overtaken';
  end if;
  insert into capstan.confirmed_position as c (shard_id, generation, position)
    select (h ->> 0)::integer, (h ->> 1)::integer, (h ->> 2)::bigint from pg_catalog.jsonb_array_elements(p_heads) h
    on conflict (shard_id) do update set generation = excluded.generation, position = excluded.position;
  perform pg_catalog.set_config('synchronous_commit', 'local', true);
  return 'beaten';
end $$;

-- Refuses a member that doesn't follow, or follows another authority than the caller believes in.
create function capstan.demand_follower(p_cluster text, p_epoch integer, p_term integer) returns void
language plpgsql stable as $$
declare
  v record;
begin
  if not pg_catalog.pg_is_in_recovery() then
    raise exception 'this member doesn''t follow: ask it as a leader' using errcode = 'CP016';
  end if;
  select * into v from capstan.cluster_state;
  if v.cluster is distinct from p_cluster then
    raise exception 'this is cluster %, not %', coalesce(v.cluster, '(none adopted)'), p_cluster using errcode = 'CP009';
  elsif v.epoch is distinct from p_epoch then
    raise exception 'epoch % was named; this is epoch %', p_epoch, v.epoch using errcode = 'CP008';
  elsif v.term is distinct from p_term then
    raise exception 'term % was named; this is term %', p_term, v.term using errcode = 'CP001';
  end if;
end $$;

create function capstan.entry_json(o capstan.outbox) returns json
language sql stable as $$
  select pg_catalog.json_build_object('position', o.position::text, 'generation', o.generation, 'term', o.term,
    'event', o.event, 'issuer', o.issuer_id, 'desk', o.desk, 'token', o.reservation_token,
    'reservation', o.reservation_id, 'amount', o.amount_cents::text, 'reserved_after', o.reserved_after::text,
    'limit_after', o.limit_after::text, 'reason', o.reason, 'decided_at', capstan.utc_text(o.decided_at))
$$;

-- Which authority decided which positions of a shard, oldest first.
create function capstan.lineage_json(p_shard integer) returns json
language sql stable as $$
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('generation', l.generation, 'term', l.term,
      'first_position', l.first_position::text, 'cluster', l.cluster, 'reason', l.reason,
      'began_at', capstan.utc_text(l.began_at)) order by l.generation, l.term), '[]'::json)
    from capstan.lineage l where l.shard_id = p_shard
$$;

-- How far one snapshot may quote each of these shards, or why not at all. `p_up_to_head`: a leader, or the only voter beside
-- it; any other member up to what the leader called confirmed under this generation. `vouched`: no other cluster can have
-- decided here since; a sealed shard may already have gone to another owner.
create function capstan.shard_bounds(
  p_cluster text, p_term integer, p_shards integer[], p_generations integer[], p_up_to_head boolean
) returns table (ord bigint, refused text, head bigint, bound bigint, vouched boolean)
language sql stable as $$
  select q.ord,
      case
        when a.state is null or a.state = 'moved' or a.cluster <> p_cluster or h.position is null then 'CP004'
        when a.generation is distinct from q.generation then 'CP002'
        when l.term is null then 'CP004'
        when not p_up_to_head and c.position is null then 'CP015'
      end,
      h.position, case when p_up_to_head then h.position else least(h.position, c.position) end,
      a.state = 'serving'
    from unnest(p_shards, p_generations) with ordinality as q(shard, generation, ord)
    left join capstan.shard_authority a on a.shard_id = q.shard
    left join capstan.shard_head h on h.shard_id = q.shard
    left join capstan.lineage l on l.shard_id = q.shard and l.generation = q.generation and l.term = p_term
    left join capstan.confirmed_position c on c.shard_id = q.shard and c.generation = q.generation
$$;

-- The log of each shard after a position. At most `p_entries_max` entries in all, shared so that no shard waits for another:
-- the shortest rests first, each at most an equal part of what is left.
create function capstan.log_json(
  p_cluster text, p_term integer, p_shards integer[], p_generations integer[], p_after bigint[], p_entries_max integer,
  p_up_to_head boolean, p_at text
) returns json
language plpgsql stable
set jit = off
as $$
declare
  v record;
  v_shards integer := coalesce(pg_catalog.cardinality(p_shards), 0);
  v_left integer := p_entries_max;
  v_asked integer := 0;
  v_take integer;
  v_takes integer[] := array_fill(0, array[v_shards]);
begin
  if v_shards <> coalesce(pg_catalog.cardinality(p_generations), 0) or v_shards <> coalesce(pg_catalog.cardinality(p_after), 0)
    or p_entries_max is null or p_entries_max not between greatest(v_shards, 1) and 10000 then
    raise exception 'each shard needs a generation, a position and room for an entry, among 10000' using errcode = '22023';
  end if;
  for v in
    select b.ord, b.bound - p_after[b.ord] as rest
      from capstan.shard_bounds(p_cluster, p_term, p_shards, p_generations, p_up_to_head) b
      where b.refused is null and b.bound > p_after[b.ord] order by 2
  loop
    if v_asked = 0 then
      select count(*) into v_asked from capstan.shard_bounds(p_cluster, p_term, p_shards, p_generations, p_up_to_head) b
        where b.refused is null and b.bound > p_after[b.ord];
    end if;
    v_take := least(v.rest, v_left / v_asked);
    v_takes[v.ord] := v_take;
    v_left := v_left - v_take;
    v_asked := greatest(v_asked - 1, 1);
  end loop;
  return (
    select coalesce(pg_catalog.json_agg(
        case when b.refused is not null then
          pg_catalog.json_build_object('shard', p_shards[b.ord], 'refused', b.refused)
        else pg_catalog.json_build_object('shard', p_shards[b.ord], 'refused', null, 'head', b.head::text,
          'bound', b.bound::text, 'at', case when b.vouched then p_at end,
          'previous', (select capstan.entry_json(o) from capstan.outbox o
            where o.shard_id = p_shards[b.ord] and o.position = p_after[b.ord] and o.position <= b.bound),
          'lineage', capstan.lineage_json(p_shards[b.ord]),
          'entries', case when v_takes[b.ord] = 0 then '[]'::json else (
            select coalesce(pg_catalog.json_agg(capstan.entry_json(o) order by o.position), '[]'::json)
              from capstan.outbox o
              where o.shard_id = p_shards[b.ord] and o.position > p_after[b.ord]
                and o.position <= p_after[b.ord] + v_takes[b.ord]) end)
        end order by b.ord), '[]'::json)
      from capstan.shard_bounds(p_cluster, p_term, p_shards, p_generations, p_up_to_head) b);
end $$;

-- The log as a member that follows shows it, in one snapshot. `p_sole_voter`: of this epoch's membership, the only one.
create function capstan.read_log(
  p_cluster text, p_epoch integer, p_term integer, p_shards integer[], p_generations integer[], p_after bigint[],
  p_entries_max integer, p_sole_voter boolean
) returns json
language plpgsql stable security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  v record;
begin
  perform capstan.demand_follower(p_cluster, p_epoch, p_term);
  select capstan.utc_text(b.at) as at, b.beat::text as beat into v from capstan.heartbeat b;
  return pg_catalog.json_build_object('at', v.at, 'beat', v.beat, 'term', p_term, 'epoch', p_epoch, 'member_recovering', true,
    'shards', capstan.log_json(p_cluster, p_term, p_shards, p_generations, p_after, p_entries_max, p_sole_voter, v.at));
end $$;

-- The log as its leader shows it, once the recorded followers have flushed what that is.
create function capstan.read_log_at_leader(
  p_cluster text, p_epoch integer, p_term integer, p_shards integer[], p_generations integer[], p_after bigint[],
  p_entries_max integer
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v_at text;
  v_logs json;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  f := capstan.fence_cluster(p_cluster, p_epoch, p_term);
  v_at := capstan.utc_text(f.checked_at);
  v_logs := capstan.log_json(p_cluster, p_term, p_shards, p_generations, p_after, p_entries_max, true, v_at);
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('at', v_at, 'beat', null, 'term', p_term, 'epoch', p_epoch, 'left_ms', f.left_ms,
    'member_recovering', false, 'shards', v_logs);
end $$;

grant execute on function capstan.read_heads(text, integer, integer, boolean),
  capstan.beat(text, integer, integer, bigint, timestamptz, jsonb)
  to capstan_agent;
grant execute on function
  capstan.read_log(text, integer, integer, integer[], integer[], bigint[], integer, boolean),
  capstan.read_log_at_leader(text, integer, integer, integer[], integer[], bigint[], integer)
  to capstan_gateway, capstan_operator, capstan_reader;
reset role;
