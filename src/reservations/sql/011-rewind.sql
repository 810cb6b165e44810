-- What pg_rewind reads of its source, as the role that streams from it anyway. (Postgres docs, "pg_rewind", Notes.)

do $$
begin
  execute format('grant connect on database %I to capstan_replication', current_database());
end $$;
grant execute on function
  pg_catalog.pg_ls_dir(text, boolean, boolean),
  pg_catalog.pg_stat_file(text, boolean),
  pg_catalog.pg_read_binary_file(text),
  pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)
  to capstan_replication;
