import type { EstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import { type RpoStanding, rpoStanding } from '../../controlplane/rpo-gate-standing.ts';
import { assertNever } from '../../domain/errors.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { table, text, type Column, type Section } from '../render/section.ts';
import type { ClusterRpo, RpoShowData, RpoSummary } from '../schemas/rpo.ts';

/** The RPO of every cluster, in name order. `nowMs`: the caller's wall clock. */
export const summarizeRpo = (
  { clusters, contract }: Pick<EstateSnapshot, 'clusters' | 'contract'>,
  nowMs: number,
): ClusterRpo[] =>
  [...clusters.values()].map((view) => ofCluster(view.name, rpoStanding(view, contract.value, nowMs), nowMs));

function ofCluster(cluster: string, { since, because, ...standing }: RpoStanding, nowMs: number): ClusterRpo {
  const { validUntil } = standing;
  return {
    cluster,
    ...standing,
    validForMs: validUntil === null ? null : Math.max(0, Date.parse(validUntil) - nowMs),
    changedAt: since,
    changedForMs: since === null ? null : Math.max(0, nowMs - Date.parse(since)),
    changedBecause: because,
  };
}

/** What a gate that is on does, in words. */
export function actionWords({
  action,
  decisionsPerSecond,
}: Pick<ClusterRpo, 'action' | 'decisionsPerSecond'>): string {
  switch (action) {
    case 'throttle':
      return `each gateway lets ${decisionsPerSecond ?? 'no'} decisions a second pass`;
    case 'close':
      return 'decisions are refused';
    case 'degrade':
      return 'decisions go on without the claim';
    default:
      return assertNever(action);
  }
}

const duration = (ms: number | null) => (ms === null ? null : formatDurationMs(ms));

const COLUMNS: readonly Column<ClusterRpo>[] = [
  { header: 'CLUSTER', value: (row) => row.cluster, shrink: true },
  { header: 'LAG', value: (row) => duration(row.lagMs) ?? 'unknown', align: 'right' },
  { header: 'GATE', value: (row) => duration(row.gateMs), align: 'right' },
  { header: 'BUDGET', value: (row) => duration(row.budgetMs), align: 'right' },
  { header: 'CLAIM', value: (row) => row.claim },
  { header: 'VALID', value: (row) => duration(row.validForMs), align: 'right' },
  { header: 'UNTIL', value: (row) => row.validUntil, wide: true },
  { header: 'RELEASE', value: (row) => duration(row.releaseMs), align: 'right', wide: true },
  { header: 'ACTION', value: (row) => row.action },
  { header: 'ACTS', value: (row) => (row.acts ? 'yes' : 'no') },
  { header: 'RATE', value: (row) => row.decisionsPerSecond, align: 'right', wide: true },
  { header: 'CHANGED', value: (row) => duration(row.changedForMs), align: 'right' },
];

export function rpoSections({ clusters }: RpoShowData): Section[] {
  return [
    table({ columns: COLUMNS, rows: clusters, empty: 'no cluster yet: capstan cluster create <name>' }),
    ...clusters.map((row) => text(changeLine(row))),
  ];
}

/** The last change and why, and what the gate does since. */
function changeLine(row: ClusterRpo): string {
  const { cluster, claim, changedAt, changedBecause, reason, acts } = row;
  const when = changedAt === null ? '' : ` since ${changedAt}`;
  const why = changedBecause ?? reason ?? 'nobody said why';
  const does = acts ? `; ${actionWords(row)}, planned topology changes are refused` : '';
  return `${cluster}: ${claim}${when}: ${why}${does}`;
}

/** For the summary of one cluster. */
export function rpoSummaryOf({
  claim,
  reason,
  lagMs,
  budgetMs,
  validUntil,
  action,
  acts,
}: RpoStanding): RpoSummary {
  return { claim, reason, lagMs, budgetMs, validUntil, action, acts };
}
