import { z } from 'zod';
import { clusterSummary } from './cluster.ts';
import { count, name, ms, time } from './common.ts';
import { operationSummary } from './operation.ts';

export const status = z.strictObject({
  estate: name,
  incarnation: z.string(),
  etcd: z.strictObject({ revision: z.string(), latencyMs: ms }),
  map: z.strictObject({ version: count, updatedAt: time, shardCount: count, unowned: count }),
  clusters: z.array(clusterSummary),
  operations: z.array(operationSummary).describe('Those that are not finished.'),
  at: time,
});

export type StatusData = z.infer<typeof status>;
