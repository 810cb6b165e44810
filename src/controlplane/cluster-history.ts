import type { LossRecord } from '../domain/loss-records.ts';
import type { AuditRecord, OperationRecord } from '../domain/operation-records.ts';
import type { AuthorityRecord, DecidedPrefix } from '../domain/records.ts';
import type { EtcdReader } from '../etcd/port.ts';
import { listAudit } from './audit.ts';
import { clusterNotFound, readClusterView } from './cluster-view.ts';
import { planOf } from './failover/plan-types.ts';
import type { Keys } from './keys.ts';
import { listOperations } from './operation/journal.ts';
import { stepResult } from './operation/record.ts';

/** What a regional failover may have lost, as its decision judged it, and what became of that. */
export interface TermLoss {
  readonly known: number | null;
  readonly possible: number | null;
  readonly accepted: number | null;
  readonly status: LossRecord['status'];
  readonly lost: number | null;
}

/** What one term of a cluster was. What nobody recorded is null. */
export interface ClusterTerm {
  readonly term: number;
  /** Null: a term under which nobody led. */
  readonly leader: string | null;
  readonly timeline: number | null;
  readonly beganAt: string | null;
  readonly openedAt: string | null;
  readonly endedAt: string | null;
  readonly end: 'current' | 'failover' | 'switchover' | 'abort';
  /** What began it; null: the cluster's own beginning. */
  readonly operation: string | null;
  readonly prefix: { readonly lsn: string; readonly timeline: number; readonly positions: number } | null;
  /** Decisions, as the plan stated it before. */
  readonly expectedLoss: string | null;
  readonly loss: TermLoss | null;
  /** From the fence until the new leader could decide. */
  readonly pauseMs: number | null;
  /** From the old leader's last renewal until the new leader could decide. */
  readonly faultToServingMs: number | null;
  /** The contract's, when that was measured. */
  readonly rtoMaxMs: number | null;
  /** What proved that the former leader could confirm nothing any more. */
  readonly fence: {
    readonly kind: string;
    readonly frozen: readonly string[];
    readonly statement: string | null;
  } | null;
  readonly actor: string | null;
  readonly reason: string | null;
}

type Begun = Omit<ClusterTerm, 'endedAt' | 'end'> & {
  readonly by: 'beginning' | 'failover' | 'switchover' | 'abort';
};

/** Every term, oldest first. Throws `cluster_not_found` (exit 4). */
export async function clusterHistory(
  etcd: EtcdReader,
  keys: Keys,
  cluster: string,
): Promise<readonly ClusterTerm[]> {
  const [view, operations, audit] = await Promise.all([
    readClusterView(etcd, keys, cluster),
    listOperations({ etcd, keys, cluster, limit: Infinity }),
    listAudit(etcd, keys, { target: cluster, action: 'authority.bootstrapped', limit: Infinity }),
  ]);
  if (view?.authority === undefined) throw clusterNotFound(cluster);
  const authority = view.authority.value;
  const beat = authority.leader === null ? undefined : view.heartbeats.get(authority.leader)?.value;
  const losses = new Map([...view.losses].map(([id, { value }]) => [id, value]));
  return termsOf({ authority, operations, audit, losses, timeline: beat?.timeline ?? null });
}

export interface HistorySources {
  readonly authority: AuthorityRecord;
  readonly operations: readonly OperationRecord[];
  readonly audit: readonly AuditRecord[];
  /** By operation id. */
  readonly losses?: ReadonlyMap<string, LossRecord>;
  /** The leader's, as its heartbeat says. */
  readonly timeline: number | null;
}

/** Pure: the terms that these records tell of, in order. */
export function termsOf({
  authority,
  operations,
  audit,
  losses,
  timeline,
}: HistorySources): readonly ClusterTerm[] {
  // A switchover that decided nothing has changed no term.
  const changes = operations.filter(
    (record) =>
      record.kind === 'failover' || (record.kind === 'switchover' && prefixOf(record) !== undefined),
  );
  const known = [
    ...audit.flatMap(beginnings),
    ...changes.flatMap((record) => termsOfChange(record, losses?.get(record.id))),
  ];
  const told = known.some(({ term }) => term === authority.term) ? known : [...known, recorded(authority)];
  const begun = told.toSorted((a, b) => a.term - b.term);
  return begun.map(({ by: _by, ...term }, index) => {
    const next = begun[index + 1];
    const after = changes.find((record) => planOf(record).term === term.term);
    const current = term.term === authority.term;
    return {
      ...term,
      timeline:
        term.timeline ??
        (after === undefined ? undefined : prefixOf(after)?.timeline) ??
        (current && term.leader !== null ? timeline : null),
      endedAt: next?.beganAt ?? null,
      end: next === undefined ? 'current' : next.by === 'beginning' ? 'failover' : next.by,
    };
  });
}

const BLANK = {
  timeline: null,
  operation: null,
  prefix: null,
  expectedLoss: null,
  loss: null,
  pauseMs: null,
  faultToServingMs: null,
  rtoMaxMs: null,
  fence: null,
} as const;

function beginnings({ at, actor, after }: AuditRecord): Begun[] {
  const { term, leader } = after as AuthorityRecord;
  return [
    {
      ...BLANK,
      term,
      leader,
      beganAt: at,
      openedAt: at,
      actor,
      reason: 'the cluster’s beginning',
      by: 'beginning',
    },
  ];
}

/** An authority that no operation tells of. */
const recorded = ({ term, leader, phase, since }: AuthorityRecord): Begun => ({
  ...BLANK,
  term,
  leader,
  beganAt: since,
  openedAt: phase === 'open' ? since : null,
  actor: null,
  reason: null,
  by: 'beginning',
});

function termsOfChange(record: OperationRecord, loss: LossRecord | undefined): Begun[] {
  const prefix = prefixOf(record);
  const result = (step: string) => stepResult(record, step) ?? {};
  const proof = result('proof');
  const settled = result('settle');
  const plan = planOf(record);
  const begun: Begun = {
    term: plan.nextTerm,
    leader: prefix?.member ?? null,
    timeline: numberOf(result('verify')['timeline']),
    beganAt: textOf(result('fence')['fencedAt']) ?? decidedAt(record) ?? record.createdAt,
    openedAt: textOf(result('open')['openedAt']),
    operation: record.id,
    prefix:
      prefix === undefined
        ? null
        : { lsn: prefix.lsn, timeline: prefix.timeline, positions: Object.keys(prefix.positions).length },
    expectedLoss: plan.loss.decisions,
    loss: loss === undefined ? null : lossOf(loss, result('decide')['loss']),
    pauseMs: numberOf(settled['pauseMs']),
    faultToServingMs: numberOf(settled['sinceFaultMs']),
    rtoMaxMs: numberOf(settled['rtoMaxMs']),
    fence:
      proof['holds'] === true
        ? {
            kind: textOf(proof['kind']) ?? '',
            frozen: namesOf(proof['frozen']),
            statement: textOf(proof['statement']),
          }
        : handedOver(record),
    actor: record.actor,
    reason: record.reason,
    by: record.kind === 'switchover' ? 'switchover' : 'failover',
  };
  return record.status === 'aborted' ? [begun, afterAbort(record)] : [begun];
}

function lossOf({ status, lost }: LossRecord, judged: unknown): TermLoss {
  const found = (judged ?? {}) as Readonly<Record<string, unknown>>;
  return {
    known: numberOf(found['known']),
    possible: numberOf(found['possible']),
    accepted: numberOf(found['accepted']),
    status,
    lost,
  };
}

/** The old leader again, under a term of its own. */
function afterAbort(record: OperationRecord): Begun {
  const given = record.steps.findLast(({ result }) => result !== null && 'abortedBy' in result)?.result ?? {};
  return {
    ...BLANK,
    term: numberOf(given['term']) ?? planOf(record).nextTerm + 1,
    leader: textOf(given['leader']),
    beganAt: record.updatedAt,
    openedAt: record.updatedAt,
    operation: record.id,
    actor: textOf(given['abortedBy']),
    reason: textOf(given['reason']) ?? 'given up',
    by: 'abort',
  };
}

const prefixOf = (record: OperationRecord): DecidedPrefix | undefined =>
  stepResult(record, 'decide')?.['prefix'] as DecidedPrefix | undefined;

const decidedAt = (record: OperationRecord): string | null =>
  record.kind === 'switchover'
    ? (record.steps.findLast(({ name }) => name === 'decide')?.finishedAt ?? null)
    : null;

/** Of a switchover: the old leader's own report ended its term. */
function handedOver(record: OperationRecord): ClusterTerm['fence'] {
  const { kind, target } = stepResult(record, 'drain') ?? {};
  if (kind !== 'agent-report' || typeof target !== 'string') return null;
  const statement = `${planOf(record).leader ?? 'the old leader'} was shut down, and ${target} holds all that it had`;
  return { kind, frozen: [target], statement };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const namesOf = (value: unknown): string[] =>
  Array.isArray(value) ? (value as { readonly member: string }[]).map(({ member }) => member) : [];
