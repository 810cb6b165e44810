import { z } from 'zod';
import { changed, count, lsn, name, position, time, yes } from './common.ts';

const lossMember = z.strictObject({
  member: name,
  state: z.enum(['pending', 'salvaged', 'waived']),
  incarnation: z.string().nullable(),
  found: count.nullable().describe('Decisions beyond the prefix; null until it is salvaged.'),
  waived: z.strictObject({ by: z.string(), reason: z.string(), at: time }).nullable(),
});

export const lossSummary = z.strictObject({
  operation: z.string().describe('The failover.'),
  cluster: name,
  status: z.enum(['open', 'signed-off']),
  formerTerm: count,
  term: count,
  timeline: count,
  lsn,
  shards: count.describe('Shards whose log may have been cut.'),
  members: z.array(lossMember),
  lost: count.nullable().describe('Null until it is signed off.'),
  signedOff: z.strictObject({ by: z.string(), reason: z.string(), at: time }).nullable(),
  since: time,
});

const lostDecision = z.strictObject({
  commitToken: z.string(),
  shard: count,
  position,
  issuer: z.string(),
  token: z.string(),
  desk: z.string(),
  command: z.string(),
  outcome: z.string(),
  reservation: z.string().nullable(),
  amount: z.string().nullable().describe('A decimal with two places.'),
  reason: z.string().nullable(),
  decidedAt: time,
  maybeAcknowledged: yes.describe('Whether its caller may have been told.'),
  heldBy: z.array(name),
});

export const lossList = z.strictObject({ losses: z.array(lossSummary) });
export const lossShow = z.strictObject({
  loss: lossSummary,
  final: yes.describe('False: what was salvaged so far, before the sign-off.'),
  entries: z.array(lostDecision),
});
export const lossSignOff = z.strictObject({
  changed,
  loss: lossSummary,
  file: z.string().nullable().describe('Where the report was written to as well.'),
});
export const lossReplay = z.strictObject({
  changed,
  operation: z.string(),
  outcomes: z.array(
    z.strictObject({
      token: z.string(),
      issuer: z.string(),
      was: z.strictObject({ outcome: z.string(), commitToken: z.string() }),
      now: z
        .enum(['confirmed', 'rejected', 'abandoned', 'refused', 'unknown'])
        .describe('`refused`: provably without effect; `unknown`: run it again.'),
      commitToken: z.string().nullable(),
      replayed: yes.describe('The token had this outcome before it was sent again.'),
      reason: z.string().nullable(),
    }),
  ),
});

export type LossSummary = z.infer<typeof lossSummary>;
export type LossShowData = z.infer<typeof lossShow>;
export type LossReplayData = z.infer<typeof lossReplay>;
