import type { ClientBase } from 'pg';
import { migrateFiles, type MigrateResult } from '../postgres/migrate-files.ts';

/**
 * Brings the decision path's schema up to date; repeats and concurrent runs are harmless. Needs the superuser, and the
 * roles (`ensureRoles`). Throws what `migrateFiles` throws.
 */
export function migrate({ client }: { client: ClientBase }): Promise<MigrateResult> {
  return migrateFiles({
    client,
    folder: new URL('./sql/', import.meta.url),
    schema: 'capstan',
    owner: 'capstan_owner',
  });
}
