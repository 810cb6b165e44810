import type { AuditRecord, AuthorityRecord, DecidedPrefix, OperationRecord } from '../domain/records.ts';
import type { EtcdReader } from '../etcd/port.ts';
import { refusedError } from '../domain/errors.ts';
import { listAudit } from './audit.ts';
import { readClusterView } from './cluster-view.ts';
import { planOf } from './failover/context.ts';
import type { Keys } from './keys.ts';
import { listOperations } from './operation/journal.ts';
import { stepResult } from './operation/record.ts';

/** What one term of a cluster was. What nobody recorded is null. */
export interface ClusterTerm {
  readonly term: number;
  /** Null: a term under which nobody led. */
  readonly leader: string | null;
  readonly timeline: number | null;
  readonly beganAt: string | null;
  readonly openedAt: string | null;
  readonly endedAt: string | null;
  readonly end: 'current' | 'failover' | 'abort';
  /** What began it; null: the cluster's own beginning. */
  readonly operation: string | null;
  readonly prefix: { readonly lsn: string; readonly timeline: number; readonly positions: number } | null;
  /** Decisions, as the plan stated it before. */
  readonly expectedLoss: string | null;
  /** From the fence until the new leader could decide. */
  readonly pauseMs: number | null;
  /** From the old leader's last renewal until the new leader could decide. */
  readonly faultToServingMs: number | null;
  readonly fence: { readonly kind: string; readonly frozen: readonly string[] } | null;
  readonly actor: string | null;
  readonly reason: string | null;
}

type Begun = Omit<ClusterTerm, 'endedAt' | 'end'> & { readonly by: 'beginning' | 'failover' | 'abort' };

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
  if (view?.authority === undefined) {
    throw refusedError(`there is no cluster ${JSON.stringify(cluster)}`, {
      code: 'cluster_not_found',
      next: 'capstan cluster list',
    });
  }
  const authority = view.authority.value;
  const beat = authority.leader === null ? undefined : view.heartbeats.get(authority.leader)?.value;
  return termsOf({ authority, operations, audit, timeline: beat?.timeline ?? null });
}

export interface HistorySources {
  readonly authority: AuthorityRecord;
  readonly operations: readonly OperationRecord[];
  readonly audit: readonly AuditRecord[];
  /** The leader's, as its heartbeat says. */
  readonly timeline: number | null;
}

/** Pure: the terms that these records tell of, in order. */
export function termsOf({ authority, operations, audit, timeline }: HistorySources): readonly ClusterTerm[] {
  const failovers = operations.filter(({ kind }) => kind === 'failover');
  const known = [...audit.flatMap(beginnings), ...failovers.flatMap(termsOfFailover)];
  const told = known.some(({ term }) => term === authority.term) ? known : [...known, recorded(authority)];
  const begun = told.toSorted((a, b) => a.term - b.term);
  return begun.map(({ by: _by, ...term }, index) => {
    const next = begun[index + 1];
    const after = failovers.find((record) => planOf(record).term === term.term);
    const current = term.term === authority.term;
    return {
      ...term,
      timeline:
        term.timeline ??
        (after === undefined ? undefined : prefixOf(after)?.timeline) ??
        (current && term.leader !== null ? timeline : null),
      endedAt: next?.beganAt ?? null,
      end: next === undefined ? 'current' : next.by === 'abort' ? 'abort' : 'failover',
    };
  });
}

const BLANK = {
  timeline: null,
  operation: null,
  prefix: null,
  expectedLoss: null,
  pauseMs: null,
  faultToServingMs: null,
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

function termsOfFailover(record: OperationRecord): Begun[] {
  const prefix = prefixOf(record);
  const result = (step: string) => stepResult(record, step) ?? {};
  const proof = result('proof');
  const settled = result('settle');
  const { nextTerm, loss } = planOf(record);
  const begun: Begun = {
    term: nextTerm,
    leader: prefix?.member ?? null,
    timeline: numberOf(result('verify')['timeline']),
    beganAt: textOf(result('fence')['fencedAt']) ?? record.createdAt,
    openedAt: textOf(result('open')['openedAt']),
    operation: record.id,
    prefix:
      prefix === undefined
        ? null
        : { lsn: prefix.lsn, timeline: prefix.timeline, positions: Object.keys(prefix.positions).length },
    expectedLoss: loss.decisions,
    pauseMs: numberOf(settled['pauseMs']),
    faultToServingMs: numberOf(settled['sinceFaultMs']),
    fence:
      proof['holds'] === true
        ? { kind: textOf(proof['kind']) ?? '', frozen: namesOf(proof['frozen']) }
        : null,
    actor: record.actor,
    reason: record.reason,
    by: 'failover',
  };
  return record.status === 'aborted' ? [begun, afterAbort(record)] : [begun];
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

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const namesOf = (value: unknown): string[] =>
  Array.isArray(value) ? (value as { readonly member: string }[]).map(({ member }) => member) : [];
