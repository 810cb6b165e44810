import type { EstateConfig } from '../config/estate-config.ts';
import { readSecret } from '../config/secrets.ts';
import { usageError } from '../domain/errors.ts';
import { FolderStore } from './folder-store.ts';
import type { ArchiveStore } from './store.ts';

const S3_DEADLINE_MS = 30_000;

/** The archive that the configuration names. Throws CapstanError `archive_missing` and `secret_missing` (exit 2). */
export async function openArchive(config: Pick<EstateConfig, 'archive' | 'source'>): Promise<ArchiveStore> {
  const { folder, s3 } = config.archive ?? {};
  if (folder !== undefined) return new FolderStore(folder);
  if (s3 === undefined) {
    throw usageError(`${config.source} has no \`archive\``, {
      code: 'archive_missing',
      next: 'docs/configuration.md shows what it holds',
    });
  }
  const [{ S3Store }, accessKey, secretKey] = await Promise.all([
    import('./s3-store.ts'),
    readSecret(s3.accessKey, 'archive.s3.accessKey'),
    readSecret(s3.secretKey, 'archive.s3.secretKey'),
  ]);
  const prefix = s3.prefix === '' || s3.prefix.endsWith('/') ? s3.prefix : `${s3.prefix}/`;
  const endpoint = s3.endpoint.replace(/\/$/, '');
  return new S3Store({ ...s3, endpoint, prefix, accessKey, secretKey, deadlineMs: S3_DEADLINE_MS });
}
