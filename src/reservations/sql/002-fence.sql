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

-- A caller must be alone in its transaction, under READ COMMITTED: under another level the checks would read an old
-- snapshot, also at commit. A statement that starts its own transaction has that transaction's timestamp. That holds for
-- a simple query, and for no statement after a BEGIN of its own message.
create function capstan.demand_autocommit() returns void
language plpgsql volatile as $$
begin
  if pg_catalog.pg_is_in_recovery() then
    raise exception 'this member follows: it decides nothing' using errcode = 'CP013';
  end if;
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed'
    or pg_catalog.statement_timestamp() <> pg_catalog.transaction_timestamp()
    or pg_catalog.pg_current_xact_id_if_assigned() is not null then
    raise exception 'must be the only statement of its transaction, a simple query under READ COMMITTED'
      using errcode = 'CP010', hint = 'send it alone, outside BEGIN, with the simple query protocol';
  end if;
end $$;

-- Refuses, or returns the time left and what an answer has to say. `p_deciding`: false for reads, which a closed admission,
-- an RPO bound or a seal don't stop. `p_cluster` null: not asked (the commit check knows it from the rows).
-- VOLATILE, so that each statement in it reads what is committed now, also when a trigger calls it at commit.
create function capstan.fence(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_deciding boolean,
  out left_ms bigint, out deadline timestamptz, out leader text, out degraded boolean,
  out rpo_lag_ms bigint, out rpo_claim text, out sync_members text[], out sync_required integer
)
language plpgsql volatile as $$
declare
  v record;
  v_now timestamptz;
  v_boot bigint;
begin
  select cs.cluster as seen_cluster, cs.epoch as seen_epoch, cs.term as seen_term,
      a.cluster as owner, a.generation, a.state, l.*
    into v
    from capstan.cluster_state cs
    left join capstan.lease l on true
    left join capstan.shard_authority a on a.shard_id = p_shard;
  if v.seen_cluster is null then
    raise exception 'this Postgres has adopted no term yet' using errcode = 'CP005';
  end if;
  if p_cluster <> v.seen_cluster or v.cluster <> v.seen_cluster then
    raise exception 'this is cluster %, not %', v.seen_cluster, p_cluster using errcode = 'CP009';
  end if;
  if p_epoch is distinct from v.seen_epoch or v.epoch <> v.seen_epoch then
    raise exception 'epoch % was named; this is epoch %, leased under %', p_epoch, v.seen_epoch, v.epoch
      using errcode = 'CP008';
  end if;
  if p_term is distinct from v.seen_term or v.term <> v.seen_term then
    raise exception 'term % was named; this is term %, leased under %', p_term, v.seen_term, v.term
      using errcode = 'CP001';
  end if;
  if v.state is null or v.state = 'moved' or v.owner <> v.seen_cluster then
    raise exception 'shard % is not owned by cluster %', p_shard, v.seen_cluster using errcode = 'CP004';
  end if;
  if p_generation is distinct from v.generation then
    raise exception 'generation % of shard % was named; this is generation %', p_generation, p_shard, v.generation
      using errcode = 'CP002';
  end if;
  if v.state = 'sealed' and p_deciding then
    raise exception 'shard % is sealed', p_shard using errcode = 'CP003';
  end if;

  -- The clocks are read after the row: a pause between the two makes the check stricter, never looser.
  v_now := capstan.wall_clock();
  v_boot := capstan.boot_clock_ms();
  if v.grant_id is null
    or v.postmaster_started_at <> pg_catalog.pg_postmaster_start_time()
    or v_now < v.granted_at or v_now >= v.expires_at
    or (v_boot is null) <> (v.expires_uptime_ms is null)
    or v_boot < v.granted_uptime_ms or v_boot >= v.expires_uptime_ms then
    raise exception 'the lease of term % has lapsed', p_term using errcode = 'CP005';
  end if;
  deadline := v.expires_at;
  if v_boot is not null then
    deadline := least(deadline, v_now + (v.expires_uptime_ms - v_boot) * interval '1 millisecond');
  end if;
  if p_deciding then
    if v.admission <> 'open' then
      raise exception 'admission is closed: %', coalesce(v.admission_reason, 'no reason given') using errcode = 'CP006';
    end if;
    if v_now >= v.rpo_until then
      raise exception 'the remote replay has not been proved for too long' using errcode = 'CP012';
    end if;
    deadline := least(deadline, v.rpo_until);
  end if;
  if pg_catalog.current_setting('synchronous_commit') not in ('on', 'remote_apply')
    or pg_catalog.current_setting('synchronous_standby_names') <> v.sync_names then
    raise exception 'synchronous_commit or the follower set is weaker than the membership demands'
      using errcode = 'CP007';
  end if;
  left_ms := floor(extract(epoch from deadline - v_now) * 1000);
  leader := v.leader;
  degraded := v.degraded;
  rpo_lag_ms := v.rpo_lag_ms;
  rpo_claim := v.rpo_claim;
  sync_members := v.sync_members;
  sync_required := v.sync_required;
end $$;

-- At commit the function's own check can be old by then: the same fence, once more.
create function capstan.check_at_commit() returns trigger
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
begin
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'must run under READ COMMITTED' using errcode = 'CP010';
  end if;
  perform capstan.fence(null, new.epoch, new.shard_id, new.generation, new.term, true);
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
