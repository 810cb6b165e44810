import { z } from 'zod';
import { count, lsn, name, ms, time, yes } from './common.ts';

export const memberSummary = z.strictObject({
  name,
  cluster: name,
  region: name,
  role: z.enum(['voter', 'observer']).nullable().describe('Null: not part of the committed membership.'),
  state: z.string().describe('What its agent says; `unreachable` without a live heartbeat.'),
  reason: z.string().nullable(),
  leader: yes,
  inSync: yes.describe('Recorded as a synchronous voter.'),
  postgresUp: yes.nullable(),
  writable: yes.nullable(),
  term: count.nullable(),
  epoch: count.nullable(),
  timeline: count.nullable(),
  receivedLsn: lsn.nullable(),
  replayedLsn: lsn.nullable(),
  flushedLsn: lsn.nullable(),
  lagBytes: z.string().nullable().describe('Behind the leader, as the leader sees it.'),
  leaseLeftMs: ms.nullable(),
  heartbeatAgeMs: ms.nullable(),
  incarnation: z.string().nullable(),
  version: z.string().nullable(),
});

export const clusterSummary = z.strictObject({
  name,
  homeRegion: name.nullable(),
  phase: z.enum(['bootstrap', 'fenced', 'promoting', 'open']).nullable(),
  term: count.nullable(),
  epoch: count.nullable(),
  leader: name.nullable(),
  since: time.nullable(),
  shards: count,
  activeOperation: z.string().nullable(),
  lease: z
    .strictObject({
      holder: name,
      term: count,
      grantId: z.string(),
      sequence: count,
      ttlMs: ms,
      renewedAt: time,
      leftMs: ms.nullable().describe("The holder's own figure in its last heartbeat."),
    })
    .nullable(),
  durability: z
    .strictObject({
      voters: z.array(name),
      required: count,
      degraded: yes,
      since: time,
    })
    .nullable(),
  rpo: z
    .strictObject({
      claim: z.enum(['advertised', 'withdrawn', 'lapsed']),
      reason: z.string().nullable(),
      lagMs: ms.nullable(),
      budgetMs: ms,
      validUntil: time.nullable(),
    })
    .nullable(),
  members: z.array(memberSummary),
});

export const clusterList = z.strictObject({ clusters: z.array(clusterSummary) });
export const memberList = z.strictObject({ members: z.array(memberSummary) });

export type MemberSummary = z.infer<typeof memberSummary>;
export type ClusterSummary = z.infer<typeof clusterSummary>;
