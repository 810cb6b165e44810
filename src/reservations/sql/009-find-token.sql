-- Where a token whose issuer isn't known may be asked for. It reports no outcome: `resolve` does, at the shard's owner.
set local role capstan_owner;

-- Equality is all that is asked of it.
create index reservation_token_by_name on capstan.reservation_token using hash (reservation_token);

-- Searches all shards that this cluster holds; the scope names any one that it owns, for the fence. Rows of a shard that has
-- moved away are found too: they are only a hint, the owner decides.
create function capstan.find_token(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_token text
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  v_found json;
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, false);
  select pg_catalog.json_agg(pg_catalog.json_build_object('shard', t.shard_id, 'issuer', t.issuer_id)) into v_found
    from (select shard_id, issuer_id from capstan.reservation_token where reservation_token = p_token limit 11) t;
  perform capstan.wait_at_commit();
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim,
    'leader', f.leader, 'found', coalesce(v_found, '[]'::json));
end $$;

grant execute on function capstan.find_token(text, integer, integer, integer, integer, text)
  to capstan_gateway, capstan_operator;
reset role;
