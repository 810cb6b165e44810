import { z } from 'zod';
import { count, ms, name, time, yes } from './common.ts';

export const claimStatus = z
  .enum(['advertised', 'withdrawn', 'lapsed', 'unknown', 'none'])
  .describe('Only `advertised` is a promise. `none`: the cluster has no remote follower.');
export const rpoAction = z
  .enum(['throttle', 'close', 'degrade'])
  .describe('What the contract has done above the gate.');
const acts = yes.describe('Whether the action is taken now; it is while the claim is not proved.');

/** In the summary of a cluster. */
export const rpoSummary = z.strictObject({
  claim: claimStatus,
  reason: z.string().nullable(),
  lagMs: ms.nullable().describe('Null: not known, which is not zero.'),
  budgetMs: ms,
  validUntil: time.nullable(),
  action: rpoAction,
  acts,
});

const clusterRpo = z.strictObject({
  cluster: name,
  claim: claimStatus,
  reason: z.string().nullable().describe('Why it is not advertised.'),
  lagMs: ms.nullable().describe('Null: not known, which is not zero.'),
  budgetMs: ms,
  gateMs: ms.describe('The lag at which the action is taken.'),
  releaseMs: ms.describe('The lag below which it ends.'),
  validUntil: time.nullable().describe('When the claim lapses if nothing proves it again.'),
  validForMs: ms.nullable(),
  action: rpoAction,
  decisionsPerSecond: count.nullable().describe('Each gateway’s, for `throttle`.'),
  acts,
  changedAt: time.nullable(),
  changedForMs: ms.nullable(),
  changedBecause: z.string().nullable(),
});
export const rpoShow = z.strictObject({ clusters: z.array(clusterRpo), at: time });

export type RpoSummary = z.infer<typeof rpoSummary>;
export type ClusterRpo = z.infer<typeof clusterRpo>;
export type RpoShowData = z.infer<typeof rpoShow>;
