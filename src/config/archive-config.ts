import { z } from 'zod';
import { parseDurationMs } from '../domain/duration.ts';
import { secret, type SecretSource } from './fields.ts';

const MINUTE_MS = 60_000;

const s3 = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/ }).refine((text) => {
    const { username, password, search, pathname } = new URL(text);
    return username === '' && password === '' && search === '' && pathname === '/';
  }, 'must be no more than https://host or http://host:port'),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is not a bucket’s name'),
  prefix: z
    .string()
    .regex(/^$|^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*\/?$/, 'must be plain names with / between them')
    .default(''),
  region: z.string().default('us-east-1'),
  accessKey: secret,
  secretKey: secret,
});

const closeAfter = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= MINUTE_MS) return ms;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is not a duration of at least 1m` });
  return z.NEVER;
});

/** Where the shards' log is kept outside Postgres, and when what is there becomes a segment. */
export const archive = z
  .strictObject({
    folder: z.string().optional(),
    s3: s3.optional(),
    segmentEntries: z.int().min(100).max(100_000).default(10_000),
    closeAfter: closeAfter.default(60 * MINUTE_MS),
    compression: z.enum(['zstd', 'gzip']).default('zstd'),
  })
  .refine(({ folder, s3: store }) => (folder === undefined) !== (store === undefined), {
    message: 'needs either `folder` or `s3`, and not both',
  });

export type ArchiveConfig = z.infer<typeof archive>;

/** The same with every path as `at` resolves it. */
export function archiveAt(config: ArchiveConfig, at: (path: string) => string): ArchiveConfig {
  const { folder, s3: store } = config;
  const secretAt = (source: SecretSource): SecretSource =>
    'file' in source ? { file: at(source.file) } : source;
  return {
    ...config,
    ...(folder === undefined ? {} : { folder: at(folder) }),
    ...(store === undefined
      ? {}
      : { s3: { ...store, accessKey: secretAt(store.accessKey), secretKey: secretAt(store.secretKey) } }),
  };
}
