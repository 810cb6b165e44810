import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, messageOf, refusedError } from '../../domain/errors.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { appendAudit } from '../audit.ts';
import { drive } from '../operation/drive.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { OperationJournal } from '../operation/journal.ts';
import { type OperationProgress, type OperationResult, report } from '../operation/run.ts';
import { beginSwitchover } from './begin.ts';
import { switchoverRun } from './context.ts';
import { SWITCHOVER } from './phases.ts';
import type { SwitchoverPlan } from './plan-types.ts';
import { readSwitchoverPlan, type SwitchoverRequest } from './read-plan.ts';
import { SWITCHOVER_STEPS } from './steps.ts';

export interface RunSwitchoverOptions extends SwitchoverRequest {
  readonly etcd: EtcdPort;
  /** The hash of the plan that was shown; a plan that differs by now is refused. */
  readonly planHash?: string | undefined;
  readonly actor: string;
  readonly reason?: string | undefined;
  /** Aborted: stops before the drain or after the new leader is open, with `operation_interrupted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
}

/**
 * Plans and runs a switchover, and answers once the new leader holds its lease and leads. Refusals (exit 4) change nothing
 * but the audit log: the plan's own, `plan_drifted`, `operation_active`, and `switchover_not_begun` where the leader wasn't ready
 * in time. `switchover_backed_out` (exit 4): the old leader leads on, after a pause. Codes of exit 5 leave an operation that
 * `capstan operation resume` goes on with.
 */
export async function runSwitchover(options: RunSwitchoverOptions): Promise<OperationResult> {
  const { etcd, keys, cluster, signal, onProgress, clock = systemClock } = options;
  const planned = await readSwitchoverPlan(options);
  const { plan } = planned;
  await refuseUnlessRunnable(options, plan);
  if (signal?.aborted === true) {
    throw refusedError('interrupted before it began: nothing was changed', {
      code: 'interrupted',
      next: `capstan switchover run ${cluster}`,
    });
  }
  const journal = new OperationJournal({ etcd, keys, clock });
  const begun = await beginSwitchover({ ...options, clock }, planned, journal);
  if (begun.kind === 'refused') throw await refuse(options, plan, begun);
  const run = switchoverRun({
    etcd,
    keys,
    contract: planned.contract.value,
    journal,
    clock,
    machine: SWITCHOVER,
    signal,
    onProgress,
  });
  report(run, begun.held.value, {
    step: 'begin',
    state: 'finished',
    detail: `${plan.leader} is asked to hand over to ${plan.target}`,
  });
  const ended = await drive(run, SWITCHOVER_STEPS, begun.held);
  return answer(ended);
}

/** What a run that came to its end answers. Throws `switchover_backed_out` or `switchover_not_begun` (exit 4). */
export function answer({ value: operation }: HeldOperation): OperationResult {
  const { id, cluster, status, error } = operation;
  if (status !== 'aborted' || error === null) return { changed: true, operation };
  const { reason = null, pauseMs = null } = operation.steps.at(-1)?.result ?? {};
  throw refusedError(error.message, {
    code: error.code,
    next: `capstan operation show ${id}; then capstan switchover plan ${cluster}`,
    retryable: true,
    data: { operation: id, reason, pauseMs },
  });
}

async function refuseUnlessRunnable(options: RunSwitchoverOptions, plan: SwitchoverPlan): Promise<void> {
  const [first] = plan.refusals;
  if (first !== undefined) {
    throw await refuse(options, plan, {
      code: first.code,
      message: plan.refusals.map(({ message }) => message).join('; '),
      next: first.next,
    });
  }
  const { planHash } = options;
  if (planHash !== undefined && planHash !== plan.hash) {
    throw await refuse(options, plan, {
      code: 'plan_drifted',
      message: `the plan is ${plan.hash} by now, not ${planHash}: what it rests on has changed`,
      next: `capstan switchover run ${plan.cluster} --dry-run`,
    });
  }
}

/** Audits the refusal. An etcd that doesn't take the entry doesn't turn a refusal into something else. */
async function refuse(
  { etcd, keys, actor, clock = systemClock }: RunSwitchoverOptions,
  plan: SwitchoverPlan,
  { code, message, next }: { readonly code: string; readonly message: string; readonly next: string },
): Promise<CapstanError> {
  let auditFailure: string | undefined;
  try {
    const entry = {
      actor,
      action: 'switchover.start',
      target: plan.cluster,
      planHash: plan.hash,
      before: { leader: plan.leader, term: plan.term },
      after: { leader: plan.leader, term: plan.term },
      outcome: 'refused',
      reason: `${code}: ${message}`,
    } as const;
    await appendAudit(etcd, keys, entry, clock);
  } catch (error) {
    auditFailure = messageOf(error);
  }
  return refusedError(message, {
    code,
    next,
    retryable: code === 'plan_drifted',
    data: { plan, ...(auditFailure === undefined ? {} : { auditFailure }) },
  });
}
