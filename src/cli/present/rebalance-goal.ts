import type { GoalPlan } from '../../controlplane/rebalance/goal-plan.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, type Section, table, text } from '../render/section.ts';
import type { RebalanceGoalData } from '../schemas/rebalance.ts';
import { shardRanges } from './rebalance-plan.ts';
import { refusalLines } from './refusals.ts';

const EXPECTED = {
  copy: { pause: 'none', risk: 'load while rows are copied' },
  verify: { pause: 'none', risk: 'load on both leaders while every row is read' },
  cutover: {
    pause: 'commands wait in the gateways',
    risk: 'beyond the budget it is backed out, and the owner serves on',
  },
  reverse: {
    pause: 'commands wait in the gateways',
    risk: 'beyond the budget it is backed out; without a way back it copies first',
  },
  complete: { pause: 'none', risk: 'the other side’s rows are deleted: going back takes a copy' },
  cancel: { pause: 'none', risk: 'the copy is deleted; the shards stay with their owner' },
} as const;

/** What a goal does to each stream: shown before anything is done, and by a dry run alone. */
export function goalSections(plan: GoalPlan): Section[] {
  const { kind, pauseBudgetMs } = plan;
  const { pause, risk } = EXPECTED[kind];
  const waits = kind === 'cutover' || kind === 'reverse';
  return [
    facts(
      [
        ['operation', plan.operation],
        [
          'expected pause',
          waits ? `${pause}, at most ${formatDurationMs(pauseBudgetMs)} a stream, one after another` : pause,
        ],
        ['expected loss', 'none'],
        ['risk', risk],
        ['plan', plan.hash],
      ],
      kind,
    ),
    table({
      title: 'streams',
      columns: [
        { header: 'STREAM', value: (row) => row.stream, align: 'right' },
        { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
        { header: 'OWNER', value: (row) => row.owner },
        { header: 'OTHER', value: (row) => row.other },
        { header: 'PHASE', value: (row) => row.phase ?? 'not begun' },
        { header: 'WHAT HAPPENS', value: (row) => row.does, shrink: true },
      ],
      rows: plan.streams,
      empty: 'no stream is left',
    }),
    ...refusalLines(plan.refusals),
  ];
}

/** How it came out, stream by stream. */
export function answerSections({ changed, plan, operation, streams }: RebalanceGoalData): Section[] {
  if (operation === null || !changed) return [text(`${plan.operation}: it is so already; nothing changed`)];
  return [
    table({
      title: plan.kind,
      columns: [
        { header: 'STREAM', value: (row) => row.stream, align: 'right' },
        { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
        { header: 'RESULT', value: (row) => row.result },
        { header: 'OWNER', value: (row) => row.owner },
        { header: 'PHASE', value: (row) => row.phase },
        {
          header: 'PAUSE',
          value: (row) => (row.pauseMs === null ? null : formatDurationMs(row.pauseMs)),
          align: 'right',
        },
        { header: 'WHY', value: (row) => row.message, shrink: true },
      ],
      rows: streams,
      empty: 'no stream was changed',
    }),
  ];
}
