import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import type { OperationProgress } from '../../../controlplane/operation/run.ts';
import { readSwitchoverPlan } from '../../../controlplane/switchover/read-plan.ts';
import { runSwitchover } from '../../../controlplane/switchover/run.ts';
import { CapstanError } from '../../../domain/errors.ts';
import type { OperationRecord } from '../../../domain/operation-records.ts';
import { readViews, withEstate } from './clusters.ts';
import { REASON, resumeUntilDone, RETRY_MS } from './failover.ts';
import { nothingIfRefused, NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';

/** Refusals that end by themselves: the former leader is taken in again, the claim is proved anew. */
const PASSING: ReadonlySet<string> = new Set([
  'cluster_degraded',
  'no_candidate',
  'rpo_gate_on',
  'leader_unhealthy',
  'operation_active',
  'switchover_not_begun',
]);
/** Where a busy machine doesn't keep the contract's own. */
const WIDE_BUDGET_MS = 15_000;
/** What is going to fail needn't take longer than that. */
const SHORT_BUDGET_MS = 5_000;

export interface SwitchoverOrder {
  readonly cluster: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** One try, whatever comes of it; else it is tried until it is done. */
  readonly once?: boolean;
  readonly onProgress?: (progress: OperationProgress) => void;
}

export interface SwitchoverOutcome {
  /** Null: nothing of it was begun. */
  readonly operation: string | null;
  readonly leader: string | null;
  readonly term: number | null;
  readonly pauseMs: number | null;
  /** What backed out before it; the last of them, in words. */
  readonly backedOut: string | null;
}

/** A planned hand-over within the region, asked for again while what stands against it passes by itself. */
export const switchOver = (site: Site, order: SwitchoverOrder): Promise<SwitchoverOutcome> =>
  withEstate(site, async (estate) => {
    const { cluster, timeoutMs, signal, once = false, onProgress } = order;
    const { etcd, keys } = estate;
    const deadline = performance.now() + timeoutMs;
    let backedOut: string | null = null;
    let pauseBudgetMs: number | undefined;
    for (;;) {
      try {
        const request = { etcd, keys, cluster, pauseBudgetMs, actor: currentActor(), reason: REASON };
        const { operation } = await runSwitchover({ ...request, onProgress });
        return await outcomeOf(site, operation, backedOut);
      } catch (error) {
        if (!(error instanceof CapstanError)) throw error;
        const id = error.data['operation'];
        if (error.code === 'switchover_backed_out' && once)
          return {
            operation: String(id),
            leader: null,
            term: null,
            pauseMs: pauseOf(error),
            backedOut: error.message,
          };
        if (error.code === 'switchover_backed_out') backedOut = error.message;
        const isTight = error.code === 'switchover_backed_out' || error.code === 'pause_over_budget';
        if (isTight && pauseBudgetMs === undefined) pauseBudgetMs = once ? SHORT_BUDGET_MS : WIDE_BUDGET_MS;
        else if (typeof id === 'string' && error.code !== 'operation_active' && !PASSING.has(error.code))
          return outcomeOf(site, await resumeUntilDone(estate, id, deadline), backedOut);
        else if (once || (!PASSING.has(error.code) && !error.retryable)) throw nothingIfRefused(error);
        if (signal.aborted || performance.now() > deadline) throw nothingIfRefused(error);
        await delay(RETRY_MS);
      }
    }
  });

/** Waits until nothing stands against a switchover but how long it took the last time. */
export const untilRunnable = (site: Site, cluster: string, timeoutMs: number): Promise<void> =>
  withEstate(site, async ({ etcd, keys }) => {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { plan } = await readSwitchoverPlan({ etcd, keys, cluster, pauseBudgetMs: SHORT_BUDGET_MS });
      const [first] = plan.refusals;
      if (first === undefined) return;
      if (performance.now() > deadline) throw new NothingToInjectInto(first.message);
      await delay(RETRY_MS);
    }
  });

const pauseOf = ({ data }: CapstanError): number | null =>
  typeof data['pauseMs'] === 'number' ? data['pauseMs'] : null;

async function outcomeOf(
  site: Site,
  operation: OperationRecord,
  backedOut: string | null,
): Promise<SwitchoverOutcome> {
  const authority = (await readViews(site)).get(operation.cluster)?.authority?.value;
  const pauseMs = operation.steps.findLast(({ name }) => name === 'settle')?.result?.['pauseMs'];
  return {
    operation: operation.id,
    leader: authority?.leader ?? null,
    term: authority?.term ?? null,
    pauseMs: typeof pauseMs === 'number' ? pauseMs : null,
    backedOut,
  };
}
