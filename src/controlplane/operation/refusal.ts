import type { Clock } from '../../clock/clock.ts';
import { type CapstanError, messageOf, refusedError } from '../../domain/errors.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { appendAudit } from '../audit.ts';
import { readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';

/** Why a plan can't be run, or a run can't begin; nothing was changed. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

/** What ends by itself: the same command may be accepted a moment later. */
const PASSING: ReadonlySet<string> = new Set(['leader_healthy', 'plan_drifted', 'operation_active']);

/** All that stands against a plan as one refusal, with the code of the most fundamental; undefined: it may run. */
export function refusalOf(refusals: readonly Refusal[]): Refusal | undefined {
  const [first] = refusals;
  if (first === undefined) return undefined;
  return { ...first, message: refusals.map(({ message }) => message).join('; ') };
}

/** The refusal of another plan than the one that was shown; undefined: it is that one, or none was named. */
export const driftOf = (
  plan: { readonly hash: string },
  planHash: string | undefined,
  next: string,
): Refusal | undefined =>
  planHash === undefined || planHash === plan.hash
    ? undefined
    : {
        code: 'plan_drifted',
        message: `the plan is ${plan.hash} by now, not ${planHash}: what it rests on has changed`,
        next,
      };

export interface RefusedRun {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly actor: string;
  readonly clock: Clock;
  /** In the audit log, such as `failover.start`. */
  readonly action: string;
  readonly target: string;
  /** What was to be changed and stays as it is. */
  readonly stands: Readonly<Record<string, unknown>>;
  readonly plan: { readonly hash: string };
}

/** Audits a refusal. An etcd that doesn't take the entry doesn't turn a refusal into something else. */
export async function audited(
  { etcd, keys, actor, clock, action, target, stands, plan }: RefusedRun,
  refusal: Refusal,
): Promise<CapstanError> {
  const entry = {
    actor,
    action,
    target,
    planHash: plan.hash,
    before: stands,
    after: stands,
    outcome: 'refused',
    reason: `${refusal.code}: ${refusal.message}`,
  } as const;
  const auditFailure = await appendAudit(etcd, keys, entry, clock).then(() => undefined, messageOf);
  return unaudited({ plan, ...(auditFailure === undefined ? {} : { auditFailure }) }, refusal);
}

/** The same where nobody asked: an agent's own decision leaves no entry. */
export const unaudited = (
  data: Readonly<Record<string, unknown>>,
  { code, message, next }: Refusal,
): CapstanError => refusedError(message, { code, next, retryable: PASSING.has(code), data });

/** The operation stands, and somebody has taken it over before this process heard of it. */
export const overtaken = (id: string): CapstanError =>
  refusedError(`operation ${id} was taken over by another coordinator`, {
    code: 'operation_superseded',
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });

/** Why the transaction that was to begin an operation of a cluster failed its compares: another holds it, or the plan is old. */
export async function whoWasFirst(about: {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly kind: 'failover' | 'switchover';
}): Promise<Refusal> {
  const { etcd, keys, cluster, kind } = about;
  const active = (await readClusterView(etcd, keys, cluster))?.activeOperation?.value;
  return active === undefined
    ? {
        code: 'plan_drifted',
        message: `cluster ${cluster} or the map changed while the ${kind} began`,
        next: `capstan ${kind} run ${cluster} --dry-run`,
      }
    : {
        code: 'operation_active',
        message: `operation ${active} holds cluster ${cluster}`,
        next: `capstan operation resume ${active}`,
      };
}
