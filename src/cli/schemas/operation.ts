import { z } from 'zod';
import { changed, name, time } from './common.ts';

const fault = z.strictObject({ code: z.string(), message: z.string() });

export const operationSummary = z.strictObject({
  id: z.string(),
  kind: z.string(),
  cluster: name,
  status: z.enum(['running', 'done', 'failed', 'aborted']),
  phase: z.string(),
  actor: z.string(),
  reason: z.string(),
  planHash: z.string(),
  createdAt: time,
  updatedAt: time,
  error: fault.nullable(),
});

export const operationDetail = operationSummary.extend({
  approvals: z.array(z.string()),
  coordinator: z.strictObject({ id: z.string(), since: time }),
  plan: z.record(z.string(), z.unknown()),
  steps: z.array(
    z.strictObject({
      name: z.string(),
      startedAt: time,
      finishedAt: time.nullable(),
      result: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
});

export const operationList = z.strictObject({ operations: z.array(operationSummary) });
export const operationShow = z.strictObject({
  operation: operationDetail,
  goesOn: z
    .strictObject({
      by: z.enum(['coordinator', 'agents', 'person']).describe('Who carries it on.'),
      why: z.string(),
      resume: z.string().describe('The command that carries it on now, whoever drives it.'),
    })
    .nullable()
    .describe('Null: it is finished.'),
});
export const operationResume = z.strictObject({ changed, operation: operationDetail });
export const operationAbort = z.strictObject({ changed, operation: operationDetail });

export type GoesOn = NonNullable<z.infer<typeof operationShow>['goesOn']>;
export type OperationSummary = z.infer<typeof operationSummary>;
export type OperationDetail = z.infer<typeof operationDetail>;
