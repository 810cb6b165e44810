-- The leader's lease, written by its agent. The agent stands beside this Postgres, so both read the same clocks: expiries come
-- as absolute times, and a request that was held up for long can't extend anything.
set local role capstan_owner;

create function capstan.demand_leader() returns void
language plpgsql volatile as $$
begin
  if pg_catalog.pg_is_in_recovery() then
    raise exception 'this member follows: it holds no lease' using errcode = 'CP013';
  end if;
  -- The lease is for this server alone: waiting for a follower would only make it late.
  perform pg_catalog.set_config('synchronous_commit', 'local', true);
end $$;

-- A new grant, under the term that this Postgres has adopted. Each one has an id of its own: what was granted before can't be
-- extended any more.
create function capstan.grant_lease(
  p_cluster text, p_epoch integer, p_term integer, p_leader text, p_grant_id uuid,
  p_expires_at timestamptz, p_expires_uptime_ms bigint, p_rpo_until timestamptz,
  p_admission text, p_admission_reason text,
  p_sync_names text, p_sync_required integer, p_sync_members text[], p_rpo_lag_ms bigint, p_rpo_claim text
) returns void
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
declare
  v record;
  v_now timestamptz := capstan.wall_clock();
begin
  perform capstan.demand_leader();
  select * into v from capstan.cluster_state for share;
  if v.cluster is distinct from p_cluster then
    raise exception 'this is cluster %, not %', coalesce(v.cluster, '(none adopted)'), p_cluster using errcode = 'CP009';
  elsif v.epoch <> p_epoch then
    raise exception 'epoch % was named; this is epoch %', p_epoch, v.epoch using errcode = 'CP008';
  elsif v.term <> p_term then
    raise exception 'term % was named; this is term %', p_term, v.term using errcode = 'CP001';
  elsif v_now >= p_expires_at or capstan.boot_clock_ms() >= p_expires_uptime_ms then
    raise exception 'the right to be granted has already lapsed' using errcode = 'CP005';
  elsif pg_catalog.current_setting('synchronous_standby_names') <> p_sync_names then
    raise exception 'synchronous_standby_names is not what the membership demands' using errcode = 'CP007';
  elsif exists (select 1 from capstan.lease where grant_id = p_grant_id) then
    raise exception 'grant id % was used before', p_grant_id using errcode = 'CP010';
  end if;
  delete from capstan.lease;
  insert into capstan.lease (cluster, term, epoch, leader, grant_id, postmaster_started_at, granted_at, expires_at,
      granted_uptime_ms, expires_uptime_ms, rpo_until, admission, admission_reason, sync_names, sync_required,
      sync_members, degraded, rpo_lag_ms, rpo_claim)
    values (p_cluster, p_term, p_epoch, p_leader, p_grant_id, pg_catalog.pg_postmaster_start_time(), v_now, p_expires_at,
      capstan.boot_clock_ms(), p_expires_uptime_ms, p_rpo_until, p_admission, p_admission_reason, p_sync_names,
      p_sync_required, p_sync_members, p_sync_names = '', p_rpo_lag_ms, p_rpo_claim);
end $$;

-- Extends the grant that it names. 'gone': there is no such grant (a crash emptied the table, Postgres was restarted, another
-- grant was made): only the full grant path may follow. 'closed': its admission was closed, maybe by a request that was given up
-- on and arrived after the grant; an extension that doesn't open it leaves it to lapse, and only a new grant opens. 'older': it
-- holds for longer already; an extension that was given up on and still arrives takes nothing back, by the clock that is never
-- set where there is one.
create function capstan.extend_lease(
  p_grant_id uuid, p_expires_at timestamptz, p_expires_uptime_ms bigint, p_rpo_until timestamptz,
  p_rpo_lag_ms bigint, p_rpo_claim text, p_admission text, p_admission_reason text
) returns text
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
begin
  perform capstan.demand_leader();
  update capstan.lease
    set granted_at = capstan.wall_clock(), expires_at = p_expires_at,
      granted_uptime_ms = capstan.boot_clock_ms(), expires_uptime_ms = p_expires_uptime_ms,
      rpo_until = p_rpo_until, rpo_lag_ms = p_rpo_lag_ms, rpo_claim = p_rpo_claim,
      admission = coalesce(p_admission, admission),
      admission_reason = case when p_admission is null then admission_reason else p_admission_reason end
    where grant_id = p_grant_id and postmaster_started_at = pg_catalog.pg_postmaster_start_time()
      and (admission = 'open' or p_admission is not null)
      and coalesce(expires_uptime_ms <= p_expires_uptime_ms, expires_at <= p_expires_at);
  return case
    when found then 'extended'
    else coalesce((select case when admission = 'open' or p_admission is not null then 'older' else 'closed' end
      from capstan.lease
      where grant_id = p_grant_id and postmaster_started_at = pg_catalog.pg_postmaster_start_time()), 'gone')
  end;
end $$;

-- From its commit on, nothing more is decided here. False: there was no lease at all.
create function capstan.close_admission(p_reason text) returns boolean
language plpgsql volatile security definer set search_path = capstan, pg_temp as $$
begin
  perform capstan.demand_leader();
  update capstan.lease set admission = 'closed', admission_reason = p_reason;
  return found;
end $$;

reset role;
