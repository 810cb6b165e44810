-- Least rights: one role writes, one reads, nobody else does anything.
do $$
begin
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to capstan_projector, capstan_projections_reader', current_database());
end $$;
revoke all on schema public from public;
grant usage on schema public to capstan_projections_owner, capstan_projector, capstan_projections_reader;

set local role capstan_projections_owner;
revoke all on all functions in schema projection from public;
alter default privileges for role capstan_projections_owner revoke execute on functions from public;
grant usage on schema projection to capstan_projector, capstan_projections_reader;

grant select, insert, update, delete on projection.watermark, projection.source_mark, projection.pause, projection.issuer,
  projection.decision, projection.open_reservation, projection.desk_exposure to capstan_projector;
-- Why a shard was folded anew stays for ever.
grant select, insert, update on projection.rebuild to capstan_projector;
grant execute on function projection.write_entries(integer, jsonb), projection.forget_rows(integer),
  projection.advance(integer, jsonb, bytea, text, text, text, timestamptz),
  projection.unlink_source(integer[]), projection.mark(text, text, text, timestamptz, integer[], bigint[])
  to capstan_projector;

grant select on all tables in schema projection to capstan_projections_reader;
alter default privileges for role capstan_projections_owner in schema projection
  grant select on tables to capstan_projections_reader;
reset role;
