import type { RebalanceStatus, StreamStatus } from '../../controlplane/rebalance/read-status.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { type MoveRecord, otherOf } from '../../domain/move-records.ts';
import { type Column, facts, type Section, table, text } from '../render/section.ts';
import type { RebalanceStatusData } from '../schemas/rebalance.ts';
import { summarizeOperation } from './operation.ts';
import { shardRanges } from './rebalance-plan.ts';

type Rebalance = RebalanceStatusData['rebalances'][number];
type Stream = Rebalance['streams'][number];

export const summarizeRebalance = ({
  operation,
  plan,
  streams,
  waiting,
  outcomes,
}: RebalanceStatus): Rebalance => {
  const { goal } = operation;
  return {
    operation: summarizeOperation(operation),
    kind: plan.kind,
    goal:
      goal === undefined
        ? null
        : { kind: goal.kind, streams: [...goal.streams], askedBy: goal.askedBy, askedAt: goal.askedAt },
    streams: streams.map(summarizeStream),
    waiting: [...waiting],
    outcomes: outcomes.map(({ stream, outcome, from, to, owner, shards, pauseMs, at }) => ({
      stream,
      outcome,
      from,
      to,
      owner,
      shards: [...shards],
      pauseMs,
      at,
    })),
  };
};

function summarizeStream({
  record,
  next,
  plannedRows,
  owner,
  other,
  fullInMs,
  problems,
}: StreamStatus): Stream {
  const { cursor, verification, handover } = record;
  return {
    stream: record.stream,
    from: record.from,
    to: record.to,
    owner: record.owner,
    other: otherOf(record),
    shards: [...record.shards],
    phase: record.phase,
    attempt: record.attempt,
    leg: record.leg,
    paused: record.paused,
    next,
    since: record.since,
    plannedRows,
    copied:
      other === null
        ? null
        : {
            tables: other.tables.total,
            tablesReady: other.tables.ready,
            rows: other.rowsCopied,
            bytes: other.bytesCopied,
          },
    lagBytes: other?.lagBytes ?? null,
    lagPositions: other?.lagPositions ?? null,
    slot: owner?.slot ?? null,
    retainedWalBytes: owner?.retainedWalBytes ?? null,
    fullInMs,
    wayBack: other === null ? null : { ...other.wayBack },
    reverse: reverseOf(record, other),
    comparing:
      cursor === null
        ? null
        : { shard: cursor.shard, table: cursor.table, rows: cursor.rows, since: cursor.startedAt },
    verification:
      verification === null ? null : { ...verification, positions: { ...verification.positions } },
    differences: record.differences.map((one) => ({ ...one, key: [...one.key] })),
    handover: handover === null ? null : { ...handover, positions: { ...handover.positions } },
    problems: [...problems],
    error: record.error,
  };
}

function reverseOf(record: MoveRecord, other: StreamStatus['other']): Stream['reverse'] {
  if (record.owner === record.from) return 'not-yet';
  if (record.phase === 'parted' || record.phase === 'copy') return 'needs-copy';
  return record.phase === 'follow' && other?.following === true ? 'ready' : 'not-yet';
}

export function statusSections({ rebalances }: RebalanceStatusData): Section[] {
  if (rebalances.length === 0) return [text('no rebalance is under way')];
  return rebalances.flatMap(rebalanceSections);
}

function rebalanceSections({ operation, kind, goal, streams, waiting, outcomes }: Rebalance): Section[] {
  const differing = streams.flatMap(({ differences }) => differences);
  return [
    facts([
      ['rebalance', `${operation.id} (${kind})`],
      ['status', `${operation.status}, ${operation.phase}`],
      ['goal', goal === null ? null : `${goal.kind}, asked by ${goal.askedBy} at ${goal.askedAt}`],
      ['not begun', waiting.length === 0 ? null : `streams ${shardRanges(waiting)}`],
      ['error', operation.error === null ? null : `${operation.error.message} (${operation.error.code})`],
    ]),
    table({ title: 'streams', columns: COLUMNS, rows: streams, empty: 'no stream is on the move' }),
    ...(differing.length === 0 ? [] : [differenceTable(differing)]),
    ...(outcomes.length === 0 ? [] : [outcomeTable(outcomes)]),
  ];
}

const COLUMNS: readonly Column<Stream>[] = [
  { header: 'STREAM', value: (row) => row.stream, align: 'right' },
  { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
  { header: 'OWNER', value: (row) => row.owner },
  { header: 'OTHER', value: (row) => row.other },
  { header: 'PHASE', value: (row) => (row.paused ? `${row.phase} (paused)` : row.phase) },
  { header: 'COPIED', value: copied, align: 'right' },
  { header: 'LAG', value: (row) => (row.lagBytes === null ? null : `${row.lagBytes} B`), align: 'right' },
  { header: 'VERIFIED', value: verified },
  { header: 'REVERSE', value: (row) => row.reverse },
  { header: 'NEXT', value: (row) => row.next, shrink: true },
  { header: 'SLOT', value: (row) => row.slot, wide: true },
  { header: 'WAL KEPT', value: (row) => row.retainedWalBytes, wide: true, align: 'right' },
  {
    header: 'DISK FULL IN',
    value: (row) => (row.fullInMs === null ? null : formatDurationMs(row.fullInMs)),
    wide: true,
    align: 'right',
  },
  {
    header: 'PAUSE',
    value: ({ handover }) =>
      handover === null || handover.pauseMs === null ? null : formatDurationMs(handover.pauseMs),
    wide: true,
    align: 'right',
  },
  {
    header: 'PROBLEM',
    value: ({ problems, error }) => [...problems, ...(error === null ? [] : [error.message])].join('; '),
    wide: true,
    shrink: true,
  },
];

function copied({ phase, copied: done, plannedRows }: Stream): string | null {
  if (done === null) return null;
  if (phase !== 'copy') return `${done.tablesReady}/${done.tables} tables`;
  return `${done.rows ?? '?'} of ~${plannedRows ?? '?'} rows`;
}

function verified({ comparing, verification, differences }: Stream): string | null {
  if (differences.length > 0) return `${differences.length} differences`;
  if (comparing !== null) return `${comparing.rows} rows, at ${comparing.shard} ${comparing.table}`;
  return verification === null ? null : verification.at;
}

const differenceTable = (differences: Stream['differences']): Section =>
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

const outcomeTable = (outcomes: Rebalance['outcomes']): Section =>
  table({
    title: 'ended',
    columns: [
      { header: 'STREAM', value: (row) => row.stream, align: 'right' },
      { header: 'SHARDS', value: (row) => shardRanges(row.shards), shrink: true },
      { header: 'OUTCOME', value: (row) => row.outcome },
      { header: 'OWNER', value: (row) => row.owner },
      { header: 'AT', value: (row) => row.at },
    ],
    rows: outcomes,
  });
