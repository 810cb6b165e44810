import type { ClientBase } from 'pg';
import { makeRoles } from '../postgres/make-roles.ts';

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

/** A session that hides warnings would take a cancelled sync wait for a success; one that idles would hold a shard. */
const DECIDING_ROLES = ['gateway', 'app', 'operator'] as const;

/** Makes the cluster's roles, or brings them to the given passwords; repeats are harmless. Needs the superuser. */
export async function ensureRoles({
  client,
  passwords,
}: {
  client: ClientBase;
  passwords: RolePasswords;
}): Promise<void> {
  await makeRoles({
    client,
    owner: 'capstan_owner',
    roles: Object.entries(LOGIN_ROLES).map(([role, attributes]) => ({
      name: `capstan_${role}`,
      attributes,
      password: passwords[role as keyof RolePasswords],
    })),
    settings: [
      'grant pg_monitor, pg_read_server_files to capstan_owner',
      ...DECIDING_ROLES.flatMap((role) => [
        `alter role capstan_${role} set client_min_messages = 'warning'`,
        `alter role capstan_${role} set idle_in_transaction_session_timeout = '10s'`,
      ]),
    ],
  });
}
