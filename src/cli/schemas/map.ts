import { z } from 'zod';
import { count, name, position, time, yes } from './common.ts';

const owner = z.strictObject({ cluster: name, generation: count });
const shardState = z.enum(['serving', 'sealed']);

export const mapShow = z.strictObject({
  version: count,
  updatedAt: time,
  shardCount: count,
  incarnation: z.string(),
  clusters: z.array(
    z.strictObject({
      cluster: name,
      shards: count,
      sealed: count,
      generationMax: count,
      ranges: z.string().describe('Its shards, such as 0-119, 360.'),
    }),
  ),
});

export const mapRoute = z.strictObject({
  issuer: z.string(),
  shard: count,
  cluster: name,
  generation: count,
  state: shardState,
  mapVersion: count.describe('The map version that wrote this entry.'),
  term: count.nullable(),
  leader: name.nullable(),
  phase: z.string().nullable(),
});

export const mapHistory = z.strictObject({
  changes: z.array(
    z.strictObject({
      version: count,
      at: time,
      actor: z.string(),
      reason: z.string(),
      operation: z.string().nullable(),
      shards: count.describe('How many entries changed.'),
      entries: z.array(z.strictObject({ shard: count, from: owner.nullable(), to: owner })),
    }),
  ),
});

export const mapDiff = z.strictObject({
  from: count,
  to: count,
  changes: z.array(z.strictObject({ shard: count, from: owner.nullable(), to: owner.nullable() })),
});

export const shardEntry = z.strictObject({
  shard: count,
  cluster: name,
  generation: count,
  state: shardState,
  mapVersion: count,
});

export const shardList = z.strictObject({ mapVersion: count, shards: z.array(shardEntry) });

export const shardShow = shardEntry.extend({
  authority: z.strictObject({ term: count, leader: name.nullable(), phase: z.string() }).nullable(),
  head: z
    .strictObject({
      position,
      generation: count,
      term: count,
      decidedAt: time.nullable(),
      askedMember: name,
      agrees: yes.describe('Postgres holds the same cluster and generation as the map, and the same term.'),
    })
    .nullable()
    .describe('Null: Postgres could not be asked; `warnings` says why.'),
  lineage: z.array(
    z.strictObject({
      generation: count,
      term: count,
      firstPosition: position,
      cluster: name,
      reason: z.string(),
      beganAt: time,
    }),
  ),
});

export type MapShow = z.infer<typeof mapShow>;
export type MapRoute = z.infer<typeof mapRoute>;
export type MapHistory = z.infer<typeof mapHistory>;
export type MapDiff = z.infer<typeof mapDiff>;
export type ShardList = z.infer<typeof shardList>;
export type ShardShow = z.infer<typeof shardShow>;
