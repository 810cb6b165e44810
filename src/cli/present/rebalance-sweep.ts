import { type Section, table } from '../render/section.ts';
import type { RebalanceSweepData } from '../schemas/rebalance.ts';
import { shardRanges } from './rebalance-plan.ts';

type Row = RebalanceSweepData['clusters'][number];

interface Line {
  readonly cluster: string;
  readonly what: string;
  readonly name: string;
  readonly state: string;
}

/** What no live stream wants, by cluster, and what became of it. */
export const sweepSections = ({ clusters }: RebalanceSweepData): Section[] => [
  table({
    columns: [
      { header: 'CLUSTER', value: (row) => row.cluster },
      { header: 'WHAT', value: (row) => row.what },
      { header: 'NAME', value: (row) => row.name, shrink: true },
      { header: 'STATE', value: (row) => row.state, shrink: true },
    ],
    rows: clusters.flatMap(linesOf),
    empty: 'nothing is left of moves that are over',
  }),
];

function linesOf(row: Row): readonly Line[] {
  const { cluster, orphans, unknown, left } = row;
  if (unknown !== null)
    return [{ cluster, what: 'leader', name: row.member ?? 'none', state: `not known: ${unknown}` }];
  const lines = [
    ...orphans.subscriptions.map((name) => ({ what: 'subscription', name })),
    ...orphans.slots.map((name) => ({ what: 'slot', name })),
    ...orphans.publications.map((name) => ({ what: 'publication', name })),
    ...(orphans.shards.length === 0 ? [] : [{ what: 'rows of shards', name: shardRanges(orphans.shards) }]),
  ];
  return [
    ...lines.map((line) => ({ cluster, ...line, state: stateOf(row) })),
    ...left.map(({ name, why }) => ({ cluster, what: 'left', name, state: why })),
  ];
}

const stateOf = ({ request, swept }: Row): string =>
  swept !== null ? 'answered' : request === null ? 'found' : 'asked for';
