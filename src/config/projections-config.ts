import { z } from 'zod';
import { addresses, name, secret, type SecretSource } from './fields.ts';

/** Where the projections' Postgres is. The superuser is needed only to make its database. */
export const projections = z.strictObject({
  database: z.string().default('capstan_projections'),
  address: addresses,
  tls: z
    .strictObject({
      mode: z.enum(['disable', 'require', 'verify-full']).default('disable'),
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
    })
    .default({ mode: 'disable' }),
  passwords: z.strictObject({
    projector: secret,
    projections_reader: secret,
    superuser: secret.optional(),
  }),
});

/** The processes that tail the log, by name. */
export const projectors = z.record(name, z.strictObject({ region: name })).default({});

export type ProjectionsConfig = z.infer<typeof projections>;
export type ProjectionsRole = keyof ProjectionsConfig['passwords'];

/** The same with every path as `at` resolves it. */
export function projectionsAt(config: ProjectionsConfig, at: (path: string) => string): ProjectionsConfig {
  const { tls, passwords } = config;
  const optional = (path: string | undefined) => (path === undefined ? undefined : at(path));
  const secretAt = (source: SecretSource): SecretSource =>
    'file' in source ? { file: at(source.file) } : source;
  return {
    ...config,
    tls: { mode: tls.mode, ca: optional(tls.ca), cert: optional(tls.cert), key: optional(tls.key) },
    passwords: {
      projector: secretAt(passwords.projector),
      projections_reader: secretAt(passwords.projections_reader),
      superuser: passwords.superuser && secretAt(passwords.superuser),
    },
  };
}
