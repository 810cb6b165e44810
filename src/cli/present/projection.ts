import { formatDurationMs } from '../../domain/duration.ts';
import { type Column, facts, type Section, table, text } from '../render/section.ts';
import type { ProjectionListData, ProjectionShowData, ProjectionVerifyData } from '../schemas/projection.ts';

type ClusterRow = ProjectionListData['clusters'][number];
type ProjectorRow = ProjectionListData['projectors'][number];

const age = (stalenessMs: number | null): string =>
  stalenessMs === null ? 'unknown' : formatDurationMs(stalenessMs);

const CLUSTER_COLUMNS: readonly Column<ClusterRow>[] = [
  { header: 'CLUSTER', value: ({ cluster }) => cluster },
  { header: 'SHARDS', value: ({ shards }) => shards, align: 'right' },
  { header: 'STALENESS', value: ({ stalenessMs }) => age(stalenessMs), align: 'right' },
  { header: 'BEHIND', value: ({ behind }) => behind, align: 'right' },
  { header: 'STATES', value: statesOf },
  {
    header: 'READ FROM',
    value: ({ sources }) => sources.map(({ member }) => member ?? 'nobody').join(', '),
    shrink: true,
  },
  { header: 'AS OF', value: ({ asOf }) => asOf, wide: true },
];

const PROJECTOR_COLUMNS: readonly Column<ProjectorRow>[] = [
  { header: 'PROJECTOR', value: ({ name }) => name },
  { header: 'REGION', value: ({ region }) => region },
  {
    header: 'STATE',
    value: ({ alive, database }) => (alive ? (database === null ? 'alive' : 'waits') : 'silent'),
  },
  { header: 'SHARDS', value: ({ shards }) => shards, align: 'right' },
  { header: 'ENTRIES/S', value: ({ entriesPerSecond }) => entriesPerSecond, align: 'right' },
  {
    header: 'TROUBLE',
    value: ({ database, troubles }) =>
      database ?? troubles.map(({ shard, why }) => `${shard}: ${why}`).join('; '),
    shrink: true,
  },
];

function statesOf({ states, paused }: ClusterRow): string {
  const parts = Object.entries(states).flatMap(([state, count]) =>
    count === 0 ? [] : [`${count} ${state}`],
  );
  return [...parts, ...(paused === 0 ? [] : [`${paused} paused`])].join(', ');
}

export const projectionSections = (data: ProjectionListData): Section[] => [
  facts([
    [
      'projections',
      'issuer dashboard, compliance search, risk report: folded together, one watermark a shard',
    ],
    [
      'staleness',
      `${age(data.stalenessMs)} (${data.withinBudget ? 'within' : 'not within'} ${formatDurationMs(data.budgetMs)})`,
    ],
    ...(data.pausedAll ? [['paused', 'all: capstan projection resume'] as const] : []),
  ]),
  table({ columns: CLUSTER_COLUMNS, rows: data.clusters, empty: 'no cluster yet' }),
  table({ columns: PROJECTOR_COLUMNS, rows: data.projectors, empty: 'no projector is configured or lives' }),
];

export const shardProjectionSections = (data: ProjectionShowData): Section[] => [
  facts([
    ['shard', data.shard],
    ['state', data.stateReason === null ? data.state : `${data.state}: ${data.stateReason}`],
    ['paused', data.paused ? 'yes' : 'no'],
    ['position', data.position],
    ['decided under', `generation ${data.generation}, term ${data.term}`],
    ['decided at', data.decidedAt],
    ['as of', data.asOf],
    ['staleness', age(data.stalenessMs)],
    ['cluster', data.cluster],
    ['read from', data.readFrom],
    ['projector', data.projector],
    ['rebuilds', data.rebuilds],
  ]),
  table({
    title: 'rebuilds',
    columns: [
      { header: 'REQUESTED', value: ({ requestedAt }) => requestedAt },
      { header: 'BY', value: ({ requestedBy }) => requestedBy },
      { header: 'FROM', value: ({ fromPosition }) => fromPosition, align: 'right' },
      { header: 'TO', value: ({ toPosition }) => toPosition, align: 'right' },
      { header: 'DONE', value: ({ finishedAt }) => finishedAt },
      { header: 'REASON', value: ({ reason }) => reason, shrink: true },
    ],
    rows: data.history,
    empty: 'never rebuilt',
  }),
];

export function verifiedSections(data: ProjectionVerifyData): Section[] {
  const bad = data.shards.filter(({ equal }) => !equal);
  const counted = `${data.shards.length} shard${data.shards.length === 1 ? '' : 's'}`;
  if (bad.length === 0) return [text(`${counted}: every row is the fold of its log`)];
  return [
    table({
      columns: [
        { header: 'SHARD', value: ({ shard }) => shard, align: 'right' },
        { header: 'POSITION', value: ({ position }) => position, align: 'right' },
        { header: 'STATE', value: ({ state }) => state },
        { header: 'ROWS', value: ({ differences }) => differences, align: 'right' },
        { header: 'NOT COMPARED', value: ({ error }) => error, shrink: true },
      ],
      rows: bad,
    }),
    table({
      title: 'differences',
      columns: [
        { header: 'TABLE', value: ({ table: name }) => name },
        { header: 'SHARD', value: ({ shard }) => shard, align: 'right' },
        { header: 'KEY', value: ({ key }) => key },
        { header: 'ROW', value: ({ kind }) => kind },
        {
          header: 'COLUMNS',
          value: ({ columns }) =>
            columns
              .map(({ column, log, projection }) => `${column}: log ${log}, here ${projection}`)
              .join('; '),
          shrink: true,
        },
      ],
      rows: data.differences,
    }),
  ];
}
