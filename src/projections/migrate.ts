import type { ClientBase } from 'pg';
import { migrateFiles, type MigrateResult } from '../postgres/migrate-files.ts';

/**
 * Brings the projections' schema up to date; repeats and concurrent runs are harmless. Needs the superuser, and the roles
 * (`ensureProjectionRoles`). Throws what `migrateFiles` throws.
 */
export function migrateProjections({ client }: { client: ClientBase }): Promise<MigrateResult> {
  return migrateFiles({
    client,
    folder: new URL('./sql/', import.meta.url),
    schema: 'projection',
    owner: 'capstan_projections_owner',
  });
}
