import { z } from 'zod';
import { count, lsn, ms, name, time } from './common.ts';

export const clusterHistory = z.strictObject({
  cluster: name,
  terms: z.array(
    z.strictObject({
      term: count,
      leader: name.nullable().describe('Null: nobody led under it.'),
      timeline: count.nullable(),
      beganAt: time.nullable(),
      openedAt: time.nullable(),
      endedAt: time.nullable(),
      end: z.enum(['current', 'failover', 'abort']),
      operation: z.string().nullable().describe('What began it; null: the cluster’s own beginning.'),
      prefix: z
        .strictObject({
          lsn,
          timeline: count,
          positions: count.describe('Shards whose head positions were decided with it.'),
        })
        .nullable()
        .describe('What its leader had to hold, no more and no less.'),
      expectedLoss: z.string().nullable().describe('Decisions, as the plan stated it before.'),
      pauseMs: ms.nullable().describe('From the fence until the new leader could decide.'),
      faultToServingMs: ms
        .nullable()
        .describe('From the old leader’s last renewal until the new leader could decide.'),
      fence: z.strictObject({ kind: z.string(), frozen: z.array(name) }).nullable(),
      actor: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
});

export type ClusterHistoryData = z.infer<typeof clusterHistory>;
