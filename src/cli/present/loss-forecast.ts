import type { LossForecast } from '../../controlplane/failover/loss-forecast.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, table, type Section } from '../render/section.ts';

/** What a failover to another region may lose, shard by shard. */
export function lossSections(forecast: LossForecast | null): Section[] {
  if (forecast === null) return [];
  const { exposureMs, budgetMs, bytes, atMost, verdict, basis } = forecast;
  return [
    facts(
      [
        ['decisions', forecast.total],
        ['of time', exposureMs === null ? null : formatDurationMs(exposureMs)],
        ['RPO budget', `${formatDurationMs(budgetMs)}: ${verdict}`],
        ['of the log', bytes === null ? null : `${bytes} bytes`],
        ['the decision stops above', atMost],
        ['shards affected', forecast.shards.length],
        ['rests on', basis.join('; ')],
      ],
      'what it may lose',
    ),
    table({
      title: 'shards that may lose decisions',
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'LEADER', value: (row) => row.leader, align: 'right' },
        { header: 'TARGET', value: (row) => row.target, align: 'right' },
        { header: 'KNOWN', value: (row) => row.known, align: 'right' },
        { header: 'POSSIBLE', value: (row) => row.possible, align: 'right' },
      ],
      rows: forecast.shards,
    }),
  ];
}
