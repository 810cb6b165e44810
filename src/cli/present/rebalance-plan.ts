import { counted } from '../../domain/counted.ts';
import type { PlannedStream, RebalancePlan } from '../../controlplane/rebalance/plan-types.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, type Section, table, text } from '../render/section.ts';
import { refusalLines } from './refusals.ts';

/** What, where, risk, expected pause and loss: shown before anything is done, and by a dry run alone. */
export function planSections(plan: RebalancePlan, warnings: readonly string[]): Section[] {
  const { streams, clusters, options } = plan;
  const shards = streams.reduce((sum, stream) => sum + stream.shards.length, 0);
  return [
    facts(
      [
        ['moves', `${counted(shards, 'shard')} in ${counted(streams.length, 'stream')}`],
        ['copies at once', `${options.concurrentCopiesMax} a cluster`],
        ['expected pause', `none now; at each cutover at most ${formatDurationMs(options.pauseBudgetMs)}`],
        ['expected loss', 'none: a shard is handed over only once the other side holds everything'],
        ['risk', 'load on the leaders while rows are copied and compared; WAL is kept until they arrive'],
        [
          'rests on',
          Object.entries(clusters)
            .map(([name, { leader, term, epoch }]) => `${name} (${leader}, term ${term}, epoch ${epoch})`)
            .join(', '),
        ],
        ['map version', plan.mapVersion],
        ['plan', plan.hash],
      ],
      `rebalance: ${plan.kind}`,
    ),
    ...(streams.length === 0 ? [] : [streamTable(streams)]),
    ...plan.reasons.map((reason) => text(reason)),
    ...warnings.map((warning) => text(`note: ${warning}`)),
    ...refusalLines(plan.refusals),
  ];
}

const streamTable = (streams: readonly PlannedStream[]): Section =>
  table({
    title: 'streams',
    columns: [
      { header: 'STREAM', value: (row) => row.stream, align: 'right' },
      { header: 'FROM', value: (row) => row.from },
      { header: 'TO', value: (row) => row.to },
      { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
      { header: 'ROWS', value: (row) => row.rows, align: 'right' },
      { header: 'BYTES', value: (row) => row.bytes, align: 'right' },
      { header: 'DECISIONS/S', value: (row) => row.decisionsPerSecond, align: 'right' },
    ],
    rows: streams,
  });

/** `1-4, 9`. */
export function shardRanges(shards: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const shard of shards.toSorted((a, b) => a - b)) {
    const open = ranges.at(-1);
    if (open !== undefined && open[1] === shard - 1) open[1] = shard;
    else ranges.push([shard, shard]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}
