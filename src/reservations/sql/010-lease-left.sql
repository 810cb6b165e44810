-- What is left of a lease by all that bounds decisions, for those who check from outside: only the owner reads the boot clock.
set local role capstan_owner;

-- `begun`: false when a clock stands before the moment of the grant, or one of the clocks is missing.
create function capstan.lease_left(p_lease capstan.lease, out left_ms bigint, out begun boolean)
language sql volatile security definer set search_path = capstan, pg_temp as $$
  select pg_catalog.floor(least(
      pg_catalog.date_part('epoch', least(p_lease.expires_at, p_lease.rpo_until) - c.now) * 1000,
      p_lease.expires_uptime_ms - c.boot))::bigint,
    c.now >= p_lease.granted_at
      and coalesce(c.boot >= p_lease.granted_uptime_ms, c.boot is null and p_lease.expires_uptime_ms is null)
    from (select capstan.wall_clock() as now, capstan.boot_clock_ms() as boot) c
$$;

grant execute on function capstan.lease_left(capstan.lease) to capstan_operator, capstan_reader;
reset role;
