import { z } from 'zod';
import { changed, count, ms, name, position, time, yes } from './common.ts';

const shardState = z.enum(['live', 'gap', 'forked', 'rebuilding', 'absent']);
const asOf = time.nullable().describe('Nothing that was confirmed before is missing; null: nobody can say.');
const stalenessMs = ms.nullable().describe('Null: unknown, and within no budget.');

const clusterProjection = z.strictObject({
  cluster: name,
  shards: count,
  asOf,
  stalenessMs,
  states: z.strictObject({ live: count, gap: count, forked: count, rebuilding: count, absent: count }),
  paused: count,
  behind: z.string().nullable().describe('Entries that are not applied yet, as the projectors last saw it.'),
  sources: z.array(z.strictObject({ projector: name, member: name.nullable(), shards: count })),
});

const projector = z.strictObject({
  name,
  region: name,
  alive: yes,
  process: z.string().nullable(),
  startedAt: time.nullable(),
  at: time.nullable(),
  shards: count.nullable(),
  entriesPerSecond: count.nullable(),
  database: z.string().nullable().describe('Why nothing is applied; null: it is.'),
  troubles: z.array(z.strictObject({ shard: count, why: z.string() })),
});

const rebuild = z.strictObject({
  reason: z.string(),
  requestedBy: z.string(),
  requestedAt: time,
  fromPosition: position.nullable(),
  toPosition: position.nullable(),
  finishedAt: time.nullable(),
});

const difference = z.strictObject({
  table: z.string(),
  shard: count,
  key: z.string().describe('Within the shard: a position, an issuer, issuer/reservation, a desk.'),
  kind: z.enum(['missing', 'extra', 'differs']),
  columns: z.array(
    z.strictObject({ column: z.string(), log: z.string().nullable(), projection: z.string().nullable() }),
  ),
});

const list = z.strictObject({
  asOf,
  stalenessMs,
  budgetMs: ms,
  withinBudget: yes,
  pausedAll: yes,
  clusters: z.array(clusterProjection),
  projectors: z.array(projector),
});

const show = z.strictObject({
  shard: count,
  cluster: name,
  state: shardState,
  stateReason: z.string().nullable(),
  paused: yes,
  position,
  generation: count,
  term: count,
  decidedAt: time.nullable(),
  asOf,
  stalenessMs,
  readFrom: name.nullable().describe('The cluster that it was last read from.'),
  projector: name.nullable().describe('Who has it among those that live.'),
  rebuilds: count,
  history: z.array(rebuild),
});

const pause = z.strictObject({
  changed,
  paused: yes,
  shards: z.array(count).nullable().describe('Null: all.'),
});

const rebuildOrder = z.strictObject({
  changed,
  dryRun: yes,
  shards: z.array(count),
  requested: z.array(count).describe('Those that nobody had asked for before.'),
});

const verified = z.strictObject({
  equal: yes,
  shards: z.array(
    z.strictObject({
      shard: count,
      position,
      state: shardState,
      equal: yes,
      differences: count,
      error: z.string().nullable().describe('Why it could not be compared.'),
    }),
  ),
  differences: z.array(difference).describe('The first of them.'),
});

/** The kinds of `capstan projection …` and `capstan projector …`. */
export const PROJECTION_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ProjectionDiff: verified,
  ProjectionInit: z.strictObject({
    changed,
    database: z.string(),
    created: yes,
    applied: z.array(z.string()),
    version: count,
  }),
  ProjectionList: list,
  ProjectionPause: pause,
  ProjectionRebuild: rebuildOrder,
  ProjectionResume: pause,
  ProjectionShow: show,
  ProjectionVerify: verified,
  ProjectorRun: z.strictObject({ projector: name, stopped: yes }),
};

export type ProjectionListData = z.infer<typeof list>;
export type ProjectionShowData = z.infer<typeof show>;
export type ProjectionPauseData = z.infer<typeof pause>;
export type ProjectionRebuildData = z.infer<typeof rebuildOrder>;
export type ProjectionVerifyData = z.infer<typeof verified>;
