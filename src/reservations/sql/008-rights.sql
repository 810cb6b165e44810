-- Least rights: nobody gets anything by default, and the gateway's role has no table at all.

do $$
begin
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to capstan_gateway, capstan_app, capstan_agent, capstan_operator, capstan_reader',
    current_database());
end $$;
revoke all on schema public from public;

set local role capstan_owner;
revoke all on all functions in schema capstan from public;
alter default privileges for role capstan_owner in schema capstan revoke all on functions from public;
alter default privileges for role capstan_owner revoke execute on functions from public;

grant usage on schema capstan
  to capstan_gateway, capstan_app, capstan_agent, capstan_operator, capstan_reader;

grant execute on function
  capstan.decide(text, integer, integer, integer, integer, jsonb),
  capstan.resolve(text, integer, integer, integer, integer, text, text),
  capstan.read_issuer(text, integer, integer, integer, integer, text, boolean, text, integer)
  to capstan_gateway, capstan_operator;

grant execute on function capstan.guard(text, integer, integer, integer, integer) to capstan_app;

grant execute on function
  capstan.grant_lease(text, integer, integer, text, uuid, timestamptz, bigint, timestamptz, text, text, text, integer,
    text[], bigint, text),
  capstan.extend_lease(uuid, timestamptz, bigint, timestamptz, bigint, text, text, text),
  capstan.close_admission(text),
  capstan.adopt_term(text, integer, integer, text, jsonb, text)
  to capstan_agent;
grant select on capstan.cluster_state, capstan.shard_authority, capstan.shard_head, capstan.lineage, capstan.lease
  to capstan_agent;

grant select on all tables in schema capstan to capstan_operator, capstan_reader;
alter default privileges for role capstan_owner in schema capstan
  grant select on tables to capstan_operator, capstan_reader;
reset role;

grant pg_monitor, pg_checkpoint to capstan_agent;
grant execute on function pg_catalog.pg_reload_conf() to capstan_agent;
