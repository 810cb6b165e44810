import { z } from 'zod';
import { changed, count, lsn, name, ms, time, yes } from './common.ts';
import { rpoSummary } from './rpo.ts';

export const memberSummary = z.strictObject({
  name,
  cluster: name,
  region: name,
  role: z
    .enum(['voter', 'observer', 'learner'])
    .nullable()
    .describe('Null: not part of the committed membership.'),
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

const pause = z.strictObject({
  by: z.string(),
  reason: z.string(),
  since: time,
  forMs: ms.nullable(),
  until: time.nullable().describe('Null: until somebody ends it.'),
});
const block = z.strictObject({
  by: z.string(),
  reason: z.string(),
  since: time,
  failovers: z.array(z.strictObject({ operation: z.string(), at: time })),
});

export const automaticFailover = z.strictObject({
  standing: z
    .enum(['off', 'paused', 'blocked', 'on'])
    .describe('Whether agents may replace the leader by themselves.'),
  pause: pause.nullable().describe('The one in force.'),
  block: block.nullable().describe('Stands until `capstan cluster acknowledge`.'),
});

export const clusterSummary = z.strictObject({
  name,
  homeRegion: name.nullable(),
  phase: z.enum(['bootstrap', 'fenced', 'promoting', 'open', 'draining']).nullable(),
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
  automaticFailover,
  rpo: rpoSummary,
  members: z.array(memberSummary),
});

export const clusterList = z.strictObject({ clusters: z.array(clusterSummary) });
export const memberList = z.strictObject({ members: z.array(memberSummary) });

export const clusterPause = z.strictObject({
  changed,
  cluster: name,
  pause: pause.nullable().describe('In force now.'),
  activeOperation: z.string().nullable().describe('Goes on: what is fenced serves nobody until it ends.'),
});
export const clusterAcknowledge = z.strictObject({
  changed,
  cluster: name,
  block: block.nullable().describe('What was acknowledged; null: nothing stood.'),
});

export type ClusterPauseData = z.infer<typeof clusterPause>;
export type ClusterAcknowledgeData = z.infer<typeof clusterAcknowledge>;
export type AutomaticFailoverData = z.infer<typeof automaticFailover>;
export type MemberSummary = z.infer<typeof memberSummary>;
export type ClusterSummary = z.infer<typeof clusterSummary>;
