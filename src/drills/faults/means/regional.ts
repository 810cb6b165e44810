import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import { planOf } from '../../../controlplane/failover/plan-types.ts';
import { readFailoverPlan } from '../../../controlplane/failover/read-plan.ts';
import { runFailover } from '../../../controlplane/failover/run.ts';
import { resumeOperation } from '../../../controlplane/operation/control.ts';
import { CapstanError } from '../../../domain/errors.ts';
import type { OperationRecord } from '../../../domain/operation-records.ts';
import { type EstateInHand, withEstate } from './clusters.ts';
import { nothingIfRefused } from './nothing.ts';
import { PASSING, REASON, resumeUntilDone, RETRY_MS } from './failover.ts';
import type { Site } from './site.ts';

export interface RegionalOrder {
  readonly cluster: string;
  readonly region: string;
  /** True: although the leader looks healthy. */
  readonly force: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What was asked, and what became of it. Counts are decisions. */
export interface RegionalOutcome {
  readonly operation: string;
  readonly leader: string;
  readonly term: number;
  /** Whether the plan was refused because of its loss, before anybody accepted one. */
  readonly refused: boolean;
  readonly accepted: number | null;
  readonly forecast: number | null;
  readonly exposureMs: number | null;
  readonly allowed: number;
}

/** Accepted where the plan can't tell: whoever runs a failover then has accepted anything. */
const ANY_LOSS = 1_000_000;

/**
 * A failover to another region as an operator has it: asked for again until the leader counts as lost, refused above the
 * budget, and then run with the loss that the plan names. Throws what stopped it when the time is up.
 */
export const failOverToRegion = (site: Site, order: RegionalOrder): Promise<RegionalOutcome> =>
  withEstate(site, async (estate) => {
    const { cluster, region, force, timeoutMs, signal } = order;
    const { etcd, keys } = estate;
    const deadline = performance.now() + timeoutMs;
    const request = { etcd, keys, cluster, region, force };
    let accepted: number | undefined;
    for (;;) {
      try {
        const actor = currentActor();
        const { operation } = await runFailover({ ...request, acceptLoss: accepted, actor, reason: REASON });
        return outcomeOf(operation, accepted);
      } catch (error) {
        if (!(error instanceof CapstanError)) throw error;
        const id = error.data['operation'];
        if (error.code === 'loss_over_budget') {
          const { plan } = await readFailoverPlan(request);
          accepted = plan.loss.forecast?.total ?? ANY_LOSS;
        } else if (typeof id === 'string' && error.code !== 'operation_active') {
          return outcomeOf(await carryOn(estate, id, { error, deadline }), accepted);
        } else if (!error.retryable && !PASSING.has(error.code) && error.code !== 'leader_healthy') {
          throw nothingIfRefused(error);
        }
        if (signal.aborted || performance.now() > deadline) throw nothingIfRefused(error);
        await delay(RETRY_MS);
      }
    }
  });

/** What is frozen holds less than was foreseen: a person is asked, and says yes. */
async function carryOn(
  estate: EstateInHand,
  id: string,
  { error, deadline }: { readonly error: CapstanError; readonly deadline: number },
): Promise<OperationRecord> {
  if (error.code !== 'loss_exceeds_plan') return resumeUntilDone(estate, id, deadline);
  const { etcd, keys } = estate;
  const total = error.data['total'];
  const acceptLoss = typeof total === 'number' ? total : ANY_LOSS;
  return (await resumeOperation({ etcd, keys, id, actor: currentActor(), acceptLoss })).operation;
}

function outcomeOf(operation: OperationRecord, accepted: number | undefined): RegionalOutcome {
  const forecast = planOf(operation).loss.forecast;
  const decided = operation.steps.findLast(({ name }) => name === 'decide')?.result as
    | {
        readonly leader: string;
        readonly loss: { readonly allowed: number; readonly accepted: number | null };
      }
    | null
    | undefined;
  return {
    operation: operation.id,
    leader: decided?.leader ?? '',
    term: planOf(operation).nextTerm,
    refused: accepted !== undefined,
    accepted: decided?.loss.accepted ?? null,
    forecast: forecast?.total ?? null,
    exposureMs: forecast?.exposureMs ?? null,
    allowed: decided?.loss.allowed ?? 0,
  };
}
