import { formatDurationMs } from '../../domain/duration.ts';
import { table, type Column, type Section } from '../render/section.ts';
import type { ClusterHistoryData } from '../schemas/cluster-history.ts';

type Term = ClusterHistoryData['terms'][number];

const duration = (value: number | null) => (value === null ? null : formatDurationMs(value));

const COLUMNS: readonly Column<Term>[] = [
  { header: 'TERM', value: (row) => row.term, align: 'right' },
  { header: 'LEADER', value: (row) => row.leader },
  { header: 'TIMELINE', value: (row) => row.timeline, align: 'right', wide: true },
  { header: 'OPENED', value: (row) => row.openedAt },
  { header: 'ENDED', value: (row) => row.endedAt, wide: true },
  { header: 'END', value: (row) => row.end },
  { header: 'PREFIX', value: (row) => prefixWord(row), wide: true },
  { header: 'EXPECTED', value: (row) => row.expectedLoss, align: 'right', wide: true },
  { header: 'LOSS', value: (row) => lossWord(row), align: 'right', wide: true },
  { header: 'PAUSE', value: (row) => duration(row.pauseMs), align: 'right' },
  { header: 'SINCE FAULT', value: (row) => duration(row.faultToServingMs), align: 'right' },
  { header: 'RTO', value: (row) => rtoWord(row), wide: true },
  { header: 'FENCE', value: (row) => fenceWord(row), wide: true },
  { header: 'WHO', value: (row) => row.actor },
  { header: 'OPERATION', value: (row) => row.operation, wide: true },
  { header: 'REASON', value: (row) => row.reason, shrink: true },
];

/** A cluster's terms, oldest first. */
export const historySection = (data: ClusterHistoryData): Section =>
  table({ columns: COLUMNS, rows: data.terms, empty: 'no term was opened yet' });

const prefixWord = ({ prefix }: Term) =>
  prefix === null ? null : `${prefix.lsn} on ${prefix.timeline}, ${prefix.positions} shards`;

function fenceWord({ fence }: Term): string | null {
  if (fence === null) return null;
  const restsOn = fence.frozen.length > 0 ? fence.frozen.join(', ') : fence.statement;
  return restsOn === null ? fence.kind : `${fence.kind}: ${restsOn}`;
}

function lossWord({ loss }: Term): string | null {
  if (loss === null) return null;
  if (loss.lost !== null) return `${loss.lost}, signed off`;
  const known = loss.known === null ? 'not known' : `${loss.known} to ${loss.known + (loss.possible ?? 0)}`;
  return `${known}, ${loss.status}`;
}

function rtoWord({ faultToServingMs, rtoMaxMs }: Term): string | null {
  if (faultToServingMs === null || rtoMaxMs === null) return null;
  return `${faultToServingMs <= rtoMaxMs ? 'within' : 'over'} ${formatDurationMs(rtoMaxMs)}`;
}
