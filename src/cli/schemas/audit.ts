import { z } from 'zod';
import { time } from './common.ts';

export const auditLog = z.strictObject({
  entries: z.array(
    z.strictObject({
      id: z.string(),
      at: time,
      actor: z.string(),
      action: z.string(),
      target: z.string(),
      operation: z.string().nullable(),
      planHash: z.string().nullable(),
      before: z.unknown(),
      after: z.unknown(),
      outcome: z.enum(['done', 'refused', 'failed', 'unknown']),
      reason: z.string().nullable(),
    }),
  ),
});
