import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresRole } from '../../src/config/estate-config.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { connect, sqlStateOf } from '../../src/postgres/connection.ts';
import { migrate } from '../../src/reservations/migrate.ts';
import { ensureRoles } from '../../src/reservations/roles.ts';
import { SCOPE, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { decided, setLimit } from '../support/reservation-commands.ts';

const DENIED = '42501';
const READS = ['follow_issuer', 'read_issuer', 'read_issuer_at', 'read_log', 'read_log_at_leader'];

let postgres: TestPostgres;
let superuser: Client;

beforeAll(async () => {
  postgres = await startPostgres();
  superuser = await postgres.connect('superuser');
});
afterAll(() => postgres.stop());

async function codeAs(role: PostgresRole, sql: string): Promise<string> {
  const client = await postgres.connect(role);
  return client.query(sql).then(
    () => 'done',
    (error: unknown) => sqlStateOf(error) ?? String(error),
  );
}

describe('rights', () => {
  it('the gateway’s and the application’s roles have no right on any table', async () => {
    const { rows } = await superuser.query(
      `select r.rolname, c.relname
        from pg_roles r, pg_class c
        where r.rolname in ('capstan_gateway', 'capstan_app') and c.relnamespace = 'capstan'::regnamespace and c.relkind in ('r', 'S')
          and case c.relkind when 'S' then has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE')
            else has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') end`,
    );
    expect(rows).toEqual([]);
    expect(await codeAs('gateway', 'select 1 from capstan.reservation')).toBe(DENIED);
    expect(await codeAs('gateway', 'delete from capstan.lease')).toBe(DENIED);
  });

  it('each role may call exactly its own functions', async () => {
    const { rows } = await superuser.query<{ role: string; functions: string[] }>(
      `select substr(r.rolname, 9) as role, array_agg(p.proname::text order by p.proname::text) as functions
        from pg_roles r, pg_proc p
        where r.rolname ~ '^capstan_' and r.rolname not in ('capstan_owner', 'capstan_super') and p.pronamespace = 'capstan'::regnamespace
          and has_function_privilege(r.oid, p.oid, 'EXECUTE')
        group by 1 order by 1`,
    );
    expect(Object.fromEntries(rows.map(({ role, functions }) => [role, functions]))).toEqual({
      agent: [
        'adopt_term',
        'beat',
        'close_admission',
        'extend_lease',
        'grant_lease',
        'read_heads',
        'seal_shards',
        'wipe_shards',
      ],
      app: ['guard'],
      gateway: [...READS, 'decide', 'find_token', 'resolve', 'search_log'].toSorted(),
      operator: [...READS, 'decide', 'find_token', 'lease_left', 'resolve', 'search_log'].toSorted(),
      reader: ['lease_left', 'read_log', 'read_log_at_leader'],
    });
  });

  it('no role but the owner can make anything in the database, temporary tables included', async () => {
    for (const role of ['gateway', 'app', 'agent', 'operator', 'reader'] as const) {
      expect(await codeAs(role, 'create table capstan.mine (n int)')).toBe(DENIED);
      expect(await codeAs(role, 'create table public.mine (n int)')).toBe(DENIED);
      expect(await codeAs(role, 'create temporary table lease (n int)')).toBe(DENIED);
    }
  });

  it('operator and reader read every table and write none', async () => {
    for (const role of ['operator', 'reader'] as const) {
      expect(await codeAs(role, 'select 1 from capstan.outbox')).toBe('done');
      expect(await codeAs(role, 'update capstan.issuer_exposure set limit_cents = 1')).toBe(DENIED);
    }
  });

  it('a session’s search_path and plan settings change nothing that a decision sees', async () => {
    const client = await postgres.connect('gateway');
    await client.query(
      `set search_path = pg_temp, public; set enable_indexscan = off; set plan_cache_mode = force_custom_plan`,
    );
    const result = await decided(client, SCOPE, setLimit('limit', 5n));
    expect(result.outcomes).toMatchObject([{ outcome: 'confirmed', limit_after: '5' }]);
    const { rows } = await client.query('show search_path');
    expect(rows).toEqual([{ search_path: 'pg_temp, public' }]);
  });
});

describe('roles and migrations', () => {
  const passwords = {
    replication: postgresPassword('replication'),
    gateway: 'changed by the test',
    app: postgresPassword('app'),
    agent: postgresPassword('agent'),
    operator: postgresPassword('operator'),
    reader: postgresPassword('reader'),
  };

  it('a subscription’s sender bears a longer silence than the server’s setting', async () => {
    await superuser.query(`alter system set wal_sender_timeout = '5s'`);
    await superuser.query('select pg_reload_conf()');
    const { host, port, database } = postgres;
    const conninfo = `host=${host} port=${port} dbname=${database} user=capstan_replication replication=database`;
    const psql = (await findPostgresBinaries()).path('psql');
    const { stdout } = await promisify(execFile)(psql, ['-XAtc', 'show wal_sender_timeout', conninfo], {
      env: { ...process.env, PGPASSWORD: postgresPassword('replication') },
      timeout: 10_000,
    });
    expect(stdout.trim()).toBe('20s');
  });

  it('passwords are stored as SCRAM verifiers and changed by a repeat; the old one no longer opens', async () => {
    await ensureRoles({ client: superuser, passwords });
    const { rows } = await superuser.query(
      `select rolname from pg_authid where rolname ~ '^capstan_' and rolcanlogin and rolpassword !~ '^SCRAM-SHA-256'`,
    );
    expect(rows).toEqual([]);
    await expect(postgres.connect('gateway')).rejects.toMatchObject({
      code: 'postgres_unreachable',
      exit: 7,
    });
    const { host, port, database } = postgres;
    const client = await connect({
      host,
      port,
      database,
      user: 'capstan_gateway',
      password: passwords.gateway,
      applicationName: 'test',
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 0,
      lockTimeoutMs: 0,
    });
    await client.end();
  });

  it('a repeated and a concurrent migration change nothing', async () => {
    const others = await Promise.all([1, 2, 3].map(() => postgres.connect('superuser')));
    const results = await Promise.all(others.map((client) => migrate({ client })));
    expect(results.map(({ applied }) => applied)).toEqual([[], [], []]);
  });

  it('a database of a newer program is refused', async () => {
    await superuser.query(`insert into capstan.schema_migration (version, name) values (999, 'later')`);
    await expect(migrate({ client: superuser })).rejects.toMatchObject({ code: 'schema_newer', exit: 4 });
  });
});

function postgresPassword(role: PostgresRole): string {
  return `${role}-password`;
}
