-- The fence: who may decide, now. Each refusal has its own SQLSTATE (src/domain/sqlstate.ts).

-- Only a superuser may read a file by default; the fence's owner reads the boot clock.
grant execute on function pg_catalog.pg_read_file(text, bigint, bigint, boolean) to capstan_owner;
set local role capstan_owner;

-- The only clocks that the fence reads, so that a test can step them.
create function capstan.wall_clock() returns timestamptz
language sql volatile as $$ select pg_catalog.clock_timestamp() $$;

-- Milliseconds since boot, sleep included: it can't be stepped. Null where there is no /proc (macOS): that check is skipped.
create function capstan.boot_clock_ms() returns bigint
language sql volatile as $$
  select (pg_catalog.split_part(pg_catalog.pg_read_file('/proc/uptime', 0, 64, true), ' ', 1)::float8 * 1000)::bigint
$$;

-- Whether the caller is alone in its transaction, on a leader, under READ COMMITTED: under another level the checks would
-- read an old snapshot, also at commit. A statement that starts its own transaction has that transaction's timestamp; that
-- holds for a simple query, and for no statement after a BEGIN of an earlier message.
create function capstan.is_alone() returns boolean
language sql volatile as $$
  select not pg_catalog.pg_is_in_recovery()
    and pg_catalog.current_setting('transaction_isolation') = 'read committed'
    and pg_catalog.statement_timestamp() = pg_catalog.transaction_timestamp()
    and pg_catalog.pg_current_xact_id_if_assigned() is null
$$;

create function capstan.refuse_shape() returns void
language plpgsql volatile as $$
begin
  if pg_catalog.pg_is_in_recovery() then
    raise exception 'this member follows: it decides nothing' using errcode = 'CP013';
  end if;
  raise exception 'must be the only statement of its transaction, a simple query under READ COMMITTED'
    using errcode = 'CP010', hint = 'send it alone, outside BEGIN, with the simple query protocol';
end $$;

-- Names the refusal that `fence` found, in the order of the specification, and says what is true instead.
create function capstan.refuse(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_deciding boolean
) returns void
language plpgsql volatile as $$
declare
  v record;
begin
  select cs.cluster, cs.epoch, cs.term, a.generation, l.epoch as leased_epoch, l.term as leased_term, l.admission_reason,
      case
        when cs.cluster is null then 'CP005'
        when p_cluster <> cs.cluster or l.cluster <> cs.cluster then 'CP009'
        when p_epoch is distinct from cs.epoch or l.epoch <> cs.epoch then 'CP008'
        when p_term is distinct from cs.term or l.term <> cs.term then 'CP001'
        when a.state is null or a.state = 'moved' or a.cluster <> cs.cluster then 'CP004'
        when p_generation is distinct from a.generation then 'CP002'
        when a.state = 'sealed' and p_deciding then 'CP003'
        when l.grant_id is null
          or l.postmaster_started_at <> pg_catalog.pg_postmaster_start_time()
          or c.now < l.granted_at or c.now >= l.expires_at
          or (c.boot is null) <> (l.expires_uptime_ms is null)
          or c.boot < l.granted_uptime_ms or c.boot >= l.expires_uptime_ms then 'CP005'
        when l.admission <> 'open' and p_deciding then 'CP006'
        when c.now >= l.rpo_until and p_deciding then 'CP012'
        when pg_catalog.current_setting('synchronous_commit') not in ('on', 'remote_apply')
          or pg_catalog.current_setting('synchronous_standby_names') <> l.sync_names then 'CP007'
        else '55P03' -- What was refused a moment ago holds by now (a new grant): asked again, it will pass.
      end as refusal
    into v
    from (select capstan.wall_clock() as now, capstan.boot_clock_ms() as boot) c
    left join capstan.cluster_state cs on true
    left join capstan.lease l on true
    left join capstan.shard_authority a on a.shard_id = p_shard;
  raise exception using errcode = v.refusal, message = case v.refusal
    when 'CP001' then format('term %s was named; this is term %s, leased under %s', p_term, v.term,
      coalesce(v.leased_term::text, 'none'))
    when 'CP002' then format('generation %s of shard %s was named; this is generation %s', p_generation, p_shard, v.generation)
    when 'CP003' then format('shard %s is sealed', p_shard)
    when 'CP004' then format('shard %s is not owned by cluster %s', p_shard, v.cluster)
    when '55P03' then 'the lease was granted anew at this moment: ask again'
    when 'CP005' then format('the lease of term %s has lapsed', p_term)
    when 'CP006' then format('admission is closed: %s', coalesce(v.admission_reason, 'no reason given'))
    when 'CP007' then 'synchronous_commit or the follower set is weaker than the membership demands'
    when 'CP008' then format('epoch %s was named; this is epoch %s, leased under %s', p_epoch, v.epoch,
      coalesce(v.leased_epoch::text, 'none'))
    when 'CP009' then format('this is cluster %s, not %s', v.cluster, p_cluster)
    when 'CP012' then 'the remote replay has not been proved for too long'
  end;
end $$;

-- Refuses, or returns the time left and what an answer has to say. `p_deciding`: false for reads, which a closed admission,
-- an RPO bound or a seal don't stop. `p_cluster` null: not asked (the commit check knows it from the rows).
--
-- One query that finds a row only if all holds, for speed: plpgsql and the executor set up each expression anew in each
-- transaction. Whatever is null there refuses. VOLATILE, so that it reads what is committed now, also when a trigger calls
-- it at commit. The clocks are read after its snapshot was taken: a pause between the two makes the check stricter, never
-- looser.
create function capstan.fence(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_deciding boolean,
  out checked_at timestamptz, out left_ms bigint, out leader text, out degraded boolean,
  out rpo_lag_ms bigint, out rpo_claim text, out sync_members text[], out sync_required integer
)
language plpgsql volatile as $$
begin
  select c.now,
      least(
        pg_catalog.date_part('epoch', least(l.expires_at, case when p_deciding then l.rpo_until end) - c.now) * 1000,
        l.expires_uptime_ms - c.boot) - 0.5,
      l.leader, l.degraded, l.rpo_lag_ms,
      case when l.rpo_claim = 'advertised' and c.now >= l.rpo_until then 'lapsed' else l.rpo_claim end, l.sync_members, l.sync_required
    into checked_at, left_ms, leader, degraded, rpo_lag_ms, rpo_claim, sync_members, sync_required
    from (select capstan.wall_clock() as now, capstan.boot_clock_ms() as boot) c
    cross join capstan.cluster_state cs
    cross join capstan.lease l
    cross join capstan.shard_authority a
    where cs.one and l.one
      and a.shard_id = p_shard and a.generation = p_generation and a.cluster = cs.cluster
      and (a.state = 'serving' or (a.state = 'sealed' and not p_deciding))
      and cs.term = p_term and cs.epoch = p_epoch and (cs.cluster = p_cluster or p_cluster is null)
      and l.term = p_term and l.epoch = p_epoch and l.cluster = cs.cluster
      and l.postmaster_started_at = pg_catalog.pg_postmaster_start_time()
      and c.now >= l.granted_at and c.now < l.expires_at
      and ((c.boot >= l.granted_uptime_ms and c.boot < l.expires_uptime_ms)
        or (c.boot is null and l.expires_uptime_ms is null))
      and ((l.admission = 'open' and (l.rpo_until is null or c.now < l.rpo_until)) or not p_deciding)
      and pg_catalog.current_setting('synchronous_standby_names') = l.sync_names
      and pg_catalog.current_setting('synchronous_commit') = any ('{on,remote_apply}');
  if checked_at is null then
    perform capstan.refuse(p_cluster, p_epoch, p_shard, p_generation, p_term, p_deciding);
  end if;
end $$;

-- At commit the function's own check can be old by then: the same fence, once more.
create function capstan.check_at_commit() returns trigger
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  f record;
begin
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'must run under READ COMMITTED' using errcode = 'CP010';
  end if;
  f := capstan.fence(null, new.epoch, new.shard_id, new.generation, new.term, true);
  if tg_table_name = 'guard_entry' then
    delete from capstan.guard_entry where entry_id = new.entry_id;
  end if;
  return null;
end $$;

-- Only decisions move a position; adopting a term changes other columns.
create constraint trigger decided_under_a_valid_lease
  after update on capstan.shard_head deferrable initially deferred
  for each row when (old.position is distinct from new.position)
  execute function capstan.check_at_commit();

create constraint trigger guarded_under_a_valid_lease
  after insert on capstan.guard_entry deferrable initially deferred
  for each row execute function capstan.check_at_commit();

reset role;
