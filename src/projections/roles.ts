import type { ClientBase } from 'pg';
import { makeRoles } from '../postgres/make-roles.ts';

/** Passwords by role of the projections' database, without the prefix `capstan_`. */
export interface ProjectionPasswords {
  /** Writes the projections; no other role can. */
  readonly projector: string;
  /** Reads them. */
  readonly projections_reader: string;
}

/** Makes the roles of the projections' database, or brings them to the given passwords; repeats are harmless. Needs the superuser. */
export async function ensureProjectionRoles({
  client,
  passwords,
}: {
  client: ClientBase;
  passwords: ProjectionPasswords;
}): Promise<void> {
  await makeRoles({
    client,
    owner: 'capstan_projections_owner',
    roles: [
      { name: 'capstan_projector', attributes: 'login noinherit', password: passwords.projector },
      {
        name: 'capstan_projections_reader',
        attributes: 'login noinherit',
        password: passwords.projections_reader,
      },
    ],
    settings: ['alter role capstan_projections_reader set default_transaction_read_only = on'],
  });
}
