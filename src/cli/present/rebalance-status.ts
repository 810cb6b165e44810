import type { RebalanceStatus, StreamStatus } from '../../controlplane/rebalance/status.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { type Column, facts, type Section, table, text } from '../render/section.ts';
import type { RebalanceStatusData } from '../schemas/rebalance.ts';
import { shardRanges } from './rebalance-plan.ts';

type Rebalance = RebalanceStatusData['rebalances'][number];
type Stream = Rebalance['streams'][number];

export const summarizeRebalance = (status: RebalanceStatus): Rebalance => ({
  ...status,
  streams: status.streams.map((stream) => ({ ...stream, reverse: reverseOf(stream) })),
});

function reverseOf({ owner, from, phase }: StreamStatus): Stream['reverse'] {
  if (owner === from) return 'not-yet';
  if (phase === 'parted' || phase === 'copy') return 'needs-copy';
  return phase === 'follow' ? 'ready' : 'not-yet';
}

export function statusSections({ rebalances }: RebalanceStatusData): Section[] {
  if (rebalances.length === 0) return [text('no rebalance is under way')];
  return rebalances.flatMap(rebalanceSections);
}

function rebalanceSections({
  operation,
  status,
  phase,
  goal,
  streams,
  planned,
  ended,
  error,
  next,
}: Rebalance) {
  const differing = streams.flatMap(({ verification }) => verification.differences);
  return [
    facts([
      ['rebalance', operation],
      ['status', `${status}, ${phase}`],
      ['goal', goal],
      [
        'not begun',
        planned.length === 0 ? null : `streams ${shardRanges(planned.map(({ stream }) => stream))}`,
      ],
      ['error', error === null ? null : `${error.message} (${error.code})`],
      ['next', next],
    ]),
    table({ title: 'streams', columns: COLUMNS, rows: streams, empty: 'no stream is on the move' }),
    ...(differing.length === 0 ? [] : [differenceTable(differing)]),
    ...(ended.length === 0 ? [] : [endedTable(ended)]),
  ];
}

const duration = (ms: number | null): string | null => (ms === null ? null : formatDurationMs(ms));

const COLUMNS: readonly Column<Stream>[] = [
  { header: 'STREAM', value: (row) => row.stream, align: 'right' },
  { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
  { header: 'OWNER', value: (row) => row.owner },
  { header: 'OTHER', value: (row) => (row.owner === row.from ? row.to : row.from) },
  { header: 'PHASE', value: (row) => (row.paused ? `${row.phase} (paused)` : row.phase) },
  { header: 'COPIED', value: copied, align: 'right' },
  { header: 'LAG', value: (row) => (row.lagBytes === null ? null : `${row.lagBytes} B`), align: 'right' },
  { header: 'VERIFIED', value: verified },
  { header: 'REVERSE', value: (row) => row.reverse },
  { header: 'WAITS FOR', value: (row) => row.waitsFor, shrink: true },
  { header: 'ETA', value: (row) => duration(row.etaMs), wide: true, align: 'right' },
  { header: 'WAL KEPT', value: (row) => row.wal.retainedBytes, wide: true, align: 'right' },
  { header: 'DISK FULL IN', value: (row) => duration(row.wal.fullInMs), wide: true, align: 'right' },
  { header: 'PAUSE', value: (row) => duration(row.pauseMs), wide: true, align: 'right' },
  {
    header: 'PROBLEM',
    value: ({ problems, error }) => [...problems, ...(error === null ? [] : [error.message])].join('; '),
    wide: true,
    shrink: true,
  },
  { header: 'NEXT', value: (row) => row.next, wide: true, shrink: true },
];

function copied({ phase, tables, rowsCopied, rowsPlanned }: Stream): string | null {
  if (tables === null) return null;
  if (phase !== 'copy') return `${tables.ready}/${tables.total} tables`;
  return `${rowsCopied ?? '?'} of ~${rowsPlanned} rows`;
}

function verified({ verification }: Stream): string | null {
  const { differences, cursor, ageMs } = verification;
  if (differences.length > 0) return `${differences.length} differences`;
  if (cursor !== null) return `${cursor.rows} rows, at ${cursor.shard} ${cursor.table}`;
  return ageMs === null ? null : `${formatDurationMs(ageMs)} ago`;
}

const differenceTable = (differences: Stream['verification']['differences']): Section =>
  table({
    title: 'differences',
    columns: [
      { header: 'SHARD', value: (row) => row.shard, align: 'right' },
      { header: 'TABLE', value: (row) => row.table },
      { header: 'KEY', value: (row) => row.key.join(' ') },
      { header: 'COLUMN', value: (row) => row.column ?? 'the row' },
      { header: 'OWNER', value: (row) => row.owner, shrink: true },
      { header: 'OTHER', value: (row) => row.other, shrink: true },
    ],
    rows: differences,
  });

const endedTable = (ended: Rebalance['ended']): Section =>
  table({
    title: 'ended',
    columns: [
      { header: 'STREAM', value: (row) => row.stream, align: 'right' },
      { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
      { header: 'OUTCOME', value: (row) => row.outcome },
      { header: 'OWNER', value: (row) => row.owner },
      { header: 'AT', value: (row) => row.at },
    ],
    rows: ended,
  });
