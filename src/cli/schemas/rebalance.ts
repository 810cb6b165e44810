import { z } from 'zod';
import type { StreamAnswer } from '../../controlplane/rebalance/answers.ts';
import type { GoalPlan } from '../../controlplane/rebalance/goal-plan.ts';
import type { RebalancePlan } from '../../controlplane/rebalance/plan-types.ts';
import type { RebalanceStatus, StreamStatus } from '../../controlplane/rebalance/status.ts';
import { changed, count, ms, name, position, time, yes } from './common.ts';
import { failoverPlan } from './failover.ts';
import { operationDetail } from './operation.ts';

const { refusals } = failoverPlan.shape;
const int8 = z.string().describe('A whole number as text.');
const shards = z.array(count);
const fault = z.strictObject({ code: z.string(), message: z.string() });
const goalKind = z.enum(['copy', 'verify', 'cutover', 'reverse', 'complete', 'cancel']);
const phase = z.enum(['queued', 'copy', 'follow', 'seal', 'turn', 'parted', 'clean', 'done']);
const hash = z
  .string()
  .describe('Changes when anything changes that the decision rests on: `--plan <hash>`.');

export const rebalancePlan = z.strictObject({
  kind: z.enum(['drain', 'balance', 'named']),
  mapVersion: count.nullable(),
  streams: z.array(
    z.strictObject({
      stream: count,
      from: name,
      to: name,
      shards,
      rows: int8.describe('An estimate.'),
      bytes: int8.describe('An estimate, indexes included.'),
      decisionsPerSecond: z.number(),
    }),
  ),
  clusters: z.record(z.string(), z.strictObject({ term: count, epoch: count, leader: name })),
  options: z.strictObject({
    concurrentCopiesMax: count.describe('Streams of a cluster that copy at once.'),
    pauseBudgetMs: ms,
    verifyMaxAgeMs: ms.describe('How old a comparison may be for a cutover to rest on it.'),
  }),
  reasons: z.array(z.string()),
  refusals,
  hash,
});

export const rebalanceStart = z.strictObject({
  changed,
  dryRun: yes,
  plan: rebalancePlan,
  operation: operationDetail.nullable().describe('Null for a dry run, and where nothing is to be moved.'),
});

const goalStream = z.strictObject({
  stream: count,
  shards,
  owner: name,
  other: name,
  phase: phase.nullable().describe('Null: not begun.'),
  does: z.string(),
});

export const rebalanceGoal = z.strictObject({
  changed,
  dryRun: yes,
  plan: z.strictObject({
    kind: goalKind,
    operation: z.string(),
    cluster: name,
    pauseBudgetMs: ms,
    streams: z.array(goalStream),
    refusals: z.array(z.strictObject({ code: z.string(), message: z.string(), next: z.string() })),
    hash,
    ended: yes,
    so: yes.describe('Every chosen stream is so already.'),
  }),
  operation: operationDetail.nullable().describe('Null for a dry run.'),
  streams: z.array(
    z.strictObject({
      stream: count,
      shards,
      phase,
      owner: name,
      result: z.enum(['reached', 'refused', 'backed-out', 'not-tried', 'differs']),
      code: z.string().nullable(),
      message: z.string().nullable(),
      next: z.string().nullable(),
      pauseMs: ms.nullable().describe('How long callers waited at the hand-over.'),
    }),
  ),
});

const difference = z.strictObject({
  shard: count,
  table: z.string(),
  key: z.array(z.string()),
  column: z.string().nullable().describe('Null: the whole row is missing on one side, or on both.'),
  owner: z.string().nullable(),
  other: z.string().nullable(),
});

const streamStatus = z.strictObject({
  stream: count,
  shards,
  from: name,
  to: name,
  owner: name,
  phase,
  attempt: count,
  leg: count,
  since: time,
  paused: yes,
  tables: z.strictObject({ total: count, ready: count }).nullable(),
  rowsCopied: int8.nullable(),
  rowsPlanned: int8,
  bytesCopied: int8.nullable(),
  bytesPlanned: int8,
  bytesPerSecond: z.number().nullable().describe('On average since the phase began.'),
  etaMs: ms.nullable().describe('Until the copy has ended at that rate.'),
  lagBytes: int8.nullable().describe('Null: not known, which is not zero.'),
  lagPositions: int8.nullable(),
  wal: z.strictObject({
    retainedBytes: int8.nullable(),
    bytesPerSecond: z.number().nullable(),
    fullInMs: ms
      .nullable()
      .describe('Until the sender’s disk is full with it, if nothing is applied any more.'),
  }),
  reverse: z.enum(['ready', 'needs-copy', 'not-yet']).describe('What taking the shards back would need.'),
  verification: z.strictObject({
    ageMs: ms.nullable().describe('Null: not compared.'),
    rows: int8.nullable(),
    laterRows: int8.nullable(),
    cursor: z
      .strictObject({
        shard: count,
        table: z.string(),
        after: z.array(z.string()).nullable(),
        rows: int8,
        laterRows: int8,
        positions: z.record(z.string(), position),
        startedAt: time,
      })
      .nullable()
      .describe('Null: no comparison is under way.'),
    differences: z.array(difference),
  }),
  sealedForMs: ms.nullable(),
  pauseMs: ms.nullable().describe('Of the last hand-over, as callers felt it.'),
  problems: z.array(z.string()),
  error: fault.nullable(),
  waitsFor: z.string().nullable(),
  next: z.string().nullable().describe('The command that moves it forward; null: it goes on by itself.'),
});

export const rebalanceStatus = z.strictObject({
  rebalances: z.array(
    z.strictObject({
      operation: z.string(),
      status: operationDetail.shape.status,
      phase: z.string(),
      goal: z.string().nullable(),
      streams: z.array(streamStatus),
      planned: rebalancePlan.shape.streams.describe('Streams that are not begun.'),
      ended: z.array(
        z.strictObject({
          stream: count,
          outcome: z.enum(['moved', 'kept']),
          from: name,
          to: name,
          owner: name,
          shards,
          generations: z.record(z.string(), count),
          positions: z.record(z.string(), position).nullable(),
          pauseMs: ms.nullable(),
          at: time,
        }),
      ),
      error: fault.nullable(),
      next: z.string().nullable().describe('The command that moves the whole forward; null: it has ended.'),
    }),
  ),
});

export const rebalancePause = z.strictObject({
  changed,
  operation: z.string(),
  paused: yes,
  streams: z.array(count).describe('Those that were changed.'),
});

const orphans = z.strictObject({
  subscriptions: z.array(z.string()),
  slots: z.array(z.string()),
  publications: z.array(z.string()),
  shards: shards.describe('Whose rows are there, and that are another cluster’s.'),
});

export const rebalanceSweep = z.strictObject({
  changed,
  clusters: z.array(
    z.strictObject({
      cluster: name,
      member: name.nullable(),
      orphans,
      unknown: z.string().nullable().describe('Why its leader could not be asked.'),
      request: z.string().nullable().describe('Null: nothing was asked for.'),
      swept: orphans.nullable().describe('Null: its agent has not answered.'),
      left: z.array(z.strictObject({ name: z.string(), why: z.string() })),
    }),
  ),
});

type Data<T extends z.ZodType> = z.infer<T>;

/** The plans are the planner's own; a test holds them to the schema. */
export type RebalanceStartData = Omit<Data<typeof rebalanceStart>, 'plan'> & { readonly plan: RebalancePlan };
export type RebalanceGoalData = Omit<Data<typeof rebalanceGoal>, 'plan' | 'streams'> & {
  readonly plan: GoalPlan;
  readonly streams: readonly StreamAnswer[];
};
export interface RebalanceStatusData {
  readonly rebalances: readonly (Omit<RebalanceStatus, 'streams'> & {
    readonly streams: readonly (StreamStatus & { readonly reverse: 'ready' | 'needs-copy' | 'not-yet' })[];
  })[];
}
export type RebalancePauseData = Data<typeof rebalancePause>;
export type RebalanceSweepData = Data<typeof rebalanceSweep>;
