import { z } from 'zod';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

/** What several parts of `capstan.yaml` are made of. */
export const name = z.string().refine(isName, `is not a name (${NAME_RULE})`);
export const endpoint = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'must read host:port');
export const secret = z.union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })]);

/** By the region, or the member, from which something is seen. */
export const addresses = z
  .record(z.string(), endpoint)
  .refine((by) => 'default' in by, 'needs a `default` address');

export type SecretSource = z.infer<typeof secret>;
