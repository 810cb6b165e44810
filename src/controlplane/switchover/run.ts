import { systemClock } from '../../clock/system-clock.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { drive } from '../operation/drive.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { OperationJournal } from '../operation/journal.ts';
import { audited, driftOf, type Refusal, refusalOf } from '../operation/refusal.ts';
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
  if (begun.kind === 'refused') throw await refuse(options, plan, begun.refusal);
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
  const next = `capstan switchover run ${plan.cluster} --dry-run`;
  const refusal = refusalOf(plan.refusals) ?? driftOf(plan, options.planHash, next);
  if (refusal !== undefined) throw await refuse(options, plan, refusal);
}

function refuse(
  { etcd, keys, actor, clock = systemClock }: RunSwitchoverOptions,
  plan: SwitchoverPlan,
  refusal: Refusal,
): Promise<CapstanError> {
  const { cluster: target, leader, term } = plan;
  const stands = { leader, term };
  return audited({ etcd, keys, actor, clock, action: 'switchover.start', target, stands, plan }, refusal);
}
