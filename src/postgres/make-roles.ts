import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';

export interface LoginRole {
  readonly name: string;
  /** As in CREATE ROLE, but for the password. */
  readonly attributes: string;
  readonly password: string;
}

/**
 * Makes an owner that can't log in and roles that can, or brings them to the given passwords, in one transaction; repeats are
 * harmless. Needs the superuser. The server turns the passwords into SCRAM verifiers; they stay out of its log. `settings`
 * run after the roles.
 */
export async function makeRoles(options: {
  readonly client: ClientBase;
  readonly owner: string;
  readonly roles: readonly LoginRole[];
  readonly settings: readonly string[];
}): Promise<void> {
  const { client, owner, roles, settings } = options;
  const statements = [
    `set local password_encryption = 'scram-sha-256'`,
    `set local log_statement = 'none'`,
    `set local log_min_duration_statement = -1`,
    `set local log_min_error_statement = 'panic'`,
    `select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('capstan.roles'))`,
    createIfMissing(owner, 'nologin'),
    ...roles.flatMap(({ name, attributes, password }) => [
      createIfMissing(name, attributes),
      `alter role ${escapeIdentifier(name)} with ${attributes} password ${escapeLiteral(password)}`,
    ]),
    ...settings,
  ];
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
