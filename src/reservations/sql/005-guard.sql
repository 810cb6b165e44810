-- The same fence for a user's own tables: call it first in the transaction that changes a shard's rows.
set local role capstan_owner;

-- Share-locks the shard's authority row (a seal waits for the transaction), leaves a row whose commit check repeats the
-- fence, and returns the moment after which the reply to COMMIT is unknown. It stops stale and mistaken clients, not one
-- that is malicious with valid credentials.
create function capstan.guard(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer
) returns timestamptz
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set jit = off
as $$
declare
  f record;
begin
  if pg_catalog.pg_is_in_recovery() then
    raise exception 'this member follows: it decides nothing' using errcode = 'CP013';
  end if;
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'must run under READ COMMITTED' using errcode = 'CP010';
  end if;
  perform 1 from capstan.shard_authority where shard_id = p_shard for share;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, true);
  insert into capstan.guard_entry (shard_id, epoch, generation, term) values (p_shard, p_epoch, p_generation, p_term);
  return f.checked_at + f.left_ms * interval '1 millisecond';
end $$;

reset role;
