import { formatDurationMs } from '../../domain/duration.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { facts, table, type Column, type Section } from '../render/section.ts';
import type { OperationDetail, OperationSummary } from '../schemas/operation.ts';

export function summarizeOperation(record: OperationRecord): OperationSummary {
  const { id, kind, cluster, status, phase, actor, reason, planHash, createdAt, updatedAt, error } = record;
  return { id, kind, cluster, status, phase, actor, reason, planHash, createdAt, updatedAt, error };
}

export const detailOperation = (record: OperationRecord): OperationDetail => ({
  ...summarizeOperation(record),
  approvals: [...record.approvals],
  coordinator: record.coordinator,
  plan: record.plan,
  steps: record.steps.map((step) => ({ ...step })),
});

export const OPERATION_COLUMNS: readonly Column<OperationSummary>[] = [
  { header: 'OPERATION', value: (row) => row.id },
  { header: 'CLUSTER', value: (row) => row.cluster },
  { header: 'STATUS', value: (row) => row.status },
  { header: 'PHASE', value: (row) => row.phase },
  { header: 'ACTOR', value: (row) => row.actor },
  { header: 'STARTED', value: (row) => row.createdAt },
  { header: 'UPDATED', value: (row) => row.updatedAt, wide: true },
  { header: 'REASON', value: (row) => row.reason, wide: true, shrink: true },
];

/** An operation in full: what it is, and each step with its time and result. */
export function operationSections(operation: OperationDetail): Section[] {
  return [
    facts([
      ['operation', operation.id],
      ['cluster', operation.cluster],
      ['status', operation.status],
      ['phase', operation.phase],
      ['actor', operation.actor],
      ['reason', operation.reason],
      ['approvals', operation.approvals.join(', ')],
      ['plan', operation.planHash],
      ['coordinator', operation.coordinator.id],
      ['started', operation.createdAt],
      ['updated', operation.updatedAt],
      ['error', operation.error === null ? null : `${operation.error.message} (${operation.error.code})`],
    ]),
    table({
      title: 'steps',
      columns: [
        { header: 'STEP', value: (step) => step.name },
        { header: 'STARTED', value: (step) => step.startedAt },
        { header: 'TOOK', value: took, align: 'right' },
        { header: 'RESULT', value: (step) => resultLine(step.result), shrink: true },
      ],
      rows: operation.steps,
    }),
  ];
}

const took = ({ startedAt, finishedAt }: OperationDetail['steps'][number]) =>
  finishedAt === null ? 'under way' : formatDurationMs(Date.parse(finishedAt) - Date.parse(startedAt));

const resultLine = (result: Readonly<Record<string, unknown>> | null) =>
  result === null ? null : inWords(result, DEPTH_MAX);

/** Beyond this a table is no place to read it; `-o json` has everything. */
const ENTRIES_MAX = 12;
const DEPTH_MAX = 2;

/** A step's result for people: few words, no JSON; what is too large for a line is counted. */
function inWords(value: unknown, depth: number): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) {
    return value.length === 0 ? 'none' : value.map((item) => inWords(item, depth)).join(', ');
  }
  const entries = Object.entries(value);
  if (entries.length > ENTRIES_MAX || depth <= 0) return `(${entries.length} entries)`;
  const words = entries.map(([key, item]) => `${key} ${inWords(item, depth - 1)}`).join(' · ');
  return depth === DEPTH_MAX ? words : `(${words})`;
}
