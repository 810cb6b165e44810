import type { LossForecast } from '../../controlplane/failover/loss-forecast.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, table, type Section } from '../render/section.ts';

/** Beyond this a table is no place to read it; `-o json` has every shard. */
const SHARDS_SHOWN_MAX = 12;

/** What a failover to another region may lose, shard by shard. */
export function lossSections(forecast: LossForecast | null): Section[] {
  if (forecast === null) return [];
  const { exposureMs, budgetMs, bytes, atMost, verdict, basis } = forecast;
  const most = forecast.shards.toSorted((a, b) => b.known - a.known || b.possible - a.possible);
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
      title:
        most.length > SHARDS_SHOWN_MAX
          ? `the ${SHARDS_SHOWN_MAX} of ${most.length} shards that may lose most`
          : 'shards that may lose decisions',
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'LEADER', value: (row) => row.leader, align: 'right' },
        { header: 'TARGET', value: (row) => row.target, align: 'right' },
        { header: 'KNOWN', value: (row) => row.known, align: 'right' },
        { header: 'POSSIBLE', value: (row) => row.possible, align: 'right' },
      ],
      rows: most.slice(0, SHARDS_SHOWN_MAX),
    }),
  ];
}
