import { z } from 'zod';
import { changed, count, name, position, yes } from './common.ts';

const where = z.string().describe('The folder, or endpoint, bucket and prefix.');
const incarnation = z.string().describe('Of the estate: a rebuilt etcd has another.');
const chain = z.string().describe('SHA-256 over all entries up to there.');

const superseded = z.strictObject({
  first: position,
  last: position,
  chain,
  generation: count.describe('Of the authority that took the place.'),
  term: count,
  cluster: name,
});

export const logArchive = z.strictObject({
  changed,
  where,
  incarnation,
  segments: count,
  entries: count,
  bytes: count.describe('As stored.'),
  shards: z.array(
    z.strictObject({
      shard: count,
      from: position.describe('Archived before.'),
      to: position.describe('Archived now.'),
      bound: position.nullable().describe('Up to where the log may be quoted; null: nobody answers.'),
      segments: count,
      entries: count,
      bytes: count,
      superseded: superseded.nullable().describe('What a failover lost: kept, and marked.'),
      behind: z.string().nullable().describe('Why nothing was done though there may be something.'),
      error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
});

export const logVerify = z.strictObject({
  where,
  incarnation,
  sound: yes,
  segments: count,
  bytes: count,
  shards: z.array(
    z.strictObject({
      shard: count,
      position: position.nullable(),
      chain: chain.nullable(),
      segments: count,
      bytes: count,
      ahead: position.nullable().describe('With --against shards: how much further the log is; else null.'),
    }),
  ),
  strays: z.array(
    z.strictObject({ shard: count, object: z.string(), is: z.enum(['superseded', 'duplicate', 'pending']) }),
  ),
  problems: z.array(
    z.strictObject({
      shard: count,
      problem: z.string(),
      object: z.string().nullable(),
      position: position.nullable(),
      why: z.string(),
    }),
  ),
});

export const logReplay = z.strictObject({
  changed,
  where,
  incarnation,
  into: z.string(),
  entries: count,
  shards: z.array(z.strictObject({ shard: count, position, entries: count, error: z.string().nullable() })),
});

export const logList = z.strictObject({
  where,
  incarnation,
  shards: z.array(
    z.strictObject({
      shard: count,
      position,
      chain,
      heads: count,
      segments: count,
      generation: count,
      term: count,
      cluster: name,
      superseded: z.array(superseded),
    }),
  ),
});

export type LogArchiveData = z.infer<typeof logArchive>;
export type LogVerifyData = z.infer<typeof logVerify>;
export type LogReplayData = z.infer<typeof logReplay>;
export type LogListData = z.infer<typeof logList>;
