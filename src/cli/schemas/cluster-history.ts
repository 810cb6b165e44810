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
      end: z.enum(['current', 'failover', 'switchover', 'abort']),
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
      loss: z
        .strictObject({
          known: count.nullable(),
          possible: count.nullable(),
          accepted: count.nullable().describe('What a person accepted.'),
          status: z.enum(['open', 'signed-off']),
          lost: count.nullable().describe('Once it is signed off.'),
        })
        .nullable()
        .describe('Judged at the decision of a regional failover; null: nothing confirmed was lost.'),
      pauseMs: ms.nullable().describe('From the fence until the new leader could decide.'),
      faultToServingMs: ms
        .nullable()
        .describe('From the old leader’s last renewal until the new leader could decide.'),
      rtoMaxMs: ms.nullable().describe('The contract’s, when it was measured.'),
      fence: z
        .strictObject({ kind: z.string(), frozen: z.array(name), statement: z.string().nullable() })
        .nullable(),
      actor: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
});

export type ClusterHistoryData = z.infer<typeof clusterHistory>;
