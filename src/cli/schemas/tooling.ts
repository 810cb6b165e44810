import { z } from 'zod';
import { count, name } from './common.ts';

export const context = z.strictObject({
  config: z.string().describe('Absolute path of the capstan.yaml in use.'),
  source: z.enum(['flag', 'environment', 'nearest-file', 'sandbox']),
  why: z.string(),
  estate: name,
  region: name.nullable().describe('From where addresses are seen (CAPSTAN_REGION).'),
  etcd: z.array(z.string()).describe('The endpoints as seen from there.'),
  clusters: z.array(name),
  gateways: z.array(z.strictObject({ name, region: name, url: z.string() })),
  projections: z
    .strictObject({
      database: z.string(),
      address: z.string().describe('As seen from there.'),
      projectors: z.array(z.strictObject({ name, region: name })),
    })
    .nullable()
    .describe('Null: this estate keeps none.'),
});

export const schemaList = z.strictObject({ kinds: z.array(z.string()) });
export const schemaDocument = z.strictObject({
  kind: z.string(),
  schema: z.record(z.string(), z.unknown()).describe('JSON Schema, draft 2020-12.'),
});
export const completion = z.strictObject({ shell: z.enum(['bash', 'zsh', 'fish']), script: z.string() });

export const help = z.strictObject({
  commands: z.array(
    z.strictObject({
      command: z.string(),
      summary: z.string().nullable(),
      arguments: z.array(
        z.strictObject({ name: z.string(), required: z.boolean(), description: z.string().nullable() }),
      ),
      flags: z.array(
        z.strictObject({
          name: z.string(),
          char: z.string().nullable(),
          type: z.string(),
          summary: z.string().nullable(),
        }),
      ),
      examples: z.array(z.unknown()),
      errors: z.array(z.strictObject({ code: z.string(), exit: count })),
    }),
  ),
});

export type ContextData = z.infer<typeof context>;
