import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';

/** Passwords by role, without the prefix `capstan_`. */
export interface RolePasswords {
  readonly replication: string;
  readonly gateway: string;
  readonly app: string;
  readonly agent: string;
  readonly operator: string;
  readonly reader: string;
}

const LOGIN_ROLES: Readonly<Record<keyof RolePasswords, string>> = {
  replication: 'login replication',
  gateway: 'login noinherit',
  app: 'login noinherit',
  agent: 'login',
  operator: 'login noinherit',
  reader: 'login noinherit',
};

/**
 * A subscription's worker hears nothing while a commit of its own waits for followers, which takes seconds while shards are copied;
 * ended for that, it would begin again and again. Settings of a role don't reach those who stream physically. (Postgres source, InitPostgres.)
 */
const LOGICAL_SENDER_TIMEOUT = '20s';

/** A session that hides warnings would take a cancelled sync wait for a success; one that idles would hold a shard. */
const DECIDING_ROLES = ['gateway', 'app', 'operator'] as const;

/**
 * Makes the cluster's roles, or brings them to the given passwords; repeats are harmless. Needs the superuser. The
 * server turns the passwords into SCRAM verifiers; they stay out of its log.
 */
export async function ensureRoles({
  client,
  passwords,
}: {
  client: ClientBase;
  passwords: RolePasswords;
}): Promise<void> {
  const statements = [
    `set local password_encryption = 'scram-sha-256'`,
    `set local log_statement = 'none'`,
    `set local log_min_duration_statement = -1`,
    `set local log_min_error_statement = 'panic'`,
    `select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('capstan.roles'))`,
    createIfMissing('capstan_owner', 'nologin'),
    'grant pg_monitor, pg_read_server_files to capstan_owner',
  ];
  for (const [role, attributes] of Object.entries(LOGIN_ROLES)) {
    const name = `capstan_${role}`;
    const password = passwords[role as keyof RolePasswords];
    statements.push(
      createIfMissing(name, attributes),
      `alter role ${escapeIdentifier(name)} with ${attributes} password ${escapeLiteral(password)}`,
    );
  }
  for (const role of DECIDING_ROLES) {
    statements.push(
      `alter role capstan_${role} set client_min_messages = 'warning'`,
      `alter role capstan_${role} set idle_in_transaction_session_timeout = '10s'`,
    );
  }
  statements.push(`alter role capstan_replication set wal_sender_timeout = '${LOGICAL_SENDER_TIMEOUT}'`);
  await client.query('begin');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

function createIfMissing(name: string, attributes: string): string {
  return `do $$ begin
    if not exists (select 1 from pg_catalog.pg_roles where rolname = ${escapeLiteral(name)}) then
      create role ${escapeIdentifier(name)} ${attributes};
    end if;
  end $$`;
}
