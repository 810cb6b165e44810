import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import { acknowledgeBlock } from '../../../controlplane/automatic/block.ts';
import { type ClusterView, readClusterView } from '../../../controlplane/cluster-view.ts';
import { abortFailover } from '../../../controlplane/failover/resume.ts';
import { runFailover } from '../../../controlplane/failover/run.ts';
import { planOf } from '../../../controlplane/failover/plan-types.ts';
import { resumeOperation } from '../../../controlplane/operation/control.ts';
import { listOperations } from '../../../controlplane/operation/journal.ts';
import { CapstanError, messageOf, unknownError } from '../../../domain/errors.ts';
import type { OperationRecord } from '../../../domain/operation-records.ts';
import { type EstateInHand, withEstate } from './clusters.ts';
import { nothingIfRefused } from './nothing.ts';
import type { Site } from './site.ts';

export const RETRY_MS = 150;
/** Among which the failover is that was just done. */
const RECENT_OPERATIONS = 8;
export const REASON = 'drill';
const FORCED = 'drill, forced';
/** Refusals that end by themselves: a follower's agent is heard again, or an agent has begun the failover already. */
export const PASSING: ReadonlySet<string> = new Set(['no_candidate', 'too_few_voters', 'operation_active']);
/** Of an abort: only forward goes on. */
const TOO_LATE: ReadonlySet<string> = new Set(['operation_past_no_return', 'operation_finished']);

export interface FailoverOrder {
  readonly cluster: string;
  /** Whom it is handed over from. */
  readonly from: { readonly leader: string; readonly term: number };
  /** True: although the leader looks healthy. */
  readonly force: boolean;
  /** Only agents begin it for so long, and from then on it is asked for. */
  readonly leftToAgentsMs?: number | undefined;
  /** From so long on after that as if `force` were true. */
  readonly forceAfterMs?: number | undefined;
  readonly timeoutMs: number;
  /** Aborted: it isn't begun any more; one that was begun is finished. */
  readonly signal: AbortSignal;
}

export interface Successor {
  readonly leader: string;
  readonly term: number;
  /** Who began the failover; null: not known. */
  readonly by: string | null;
  readonly forced: boolean;
}

/**
 * An in-region failover, begun as soon as the leader's loss shows and finished whatever stops it on the way; an agent may
 * have done it before. Throws the refusal when it isn't a passing one, or what stopped it last when the time is up.
 */
export const failOver = (site: Site, order: FailoverOrder): Promise<Successor> =>
  withEstate(site, async (estate) => {
    const { cluster, timeoutMs, signal, leftToAgentsMs = 0, forceAfterMs = Infinity } = order;
    const { etcd, keys } = estate;
    const begin = performance.now() + leftToAgentsMs;
    const deadline = begin + timeoutMs;
    for (;;) {
      const successor = await successorOf(estate, order);
      if (successor !== undefined) return successor;
      const waitedMs = performance.now() - begin;
      if (waitedMs < 0 && !signal.aborted) {
        await delay(RETRY_MS);
        continue;
      }
      const force = order.force || waitedMs > forceAfterMs;
      try {
        await runFailover({
          etcd,
          keys,
          cluster,
          force,
          actor: currentActor(),
          reason: force ? FORCED : REASON,
        });
      } catch (error) {
        const operation = operationOf(error);
        const passing =
          error instanceof CapstanError &&
          (error.retryable || PASSING.has(error.code) || (await isTakenOver(estate, order)));
        if (operation !== undefined) await resumeUntilDone(estate, operation, deadline);
        else if (!passing || signal.aborted || performance.now() > deadline) throw nothingIfRefused(error);
        else await delay(RETRY_MS);
      }
    }
  });

async function successorOf(
  { etcd, keys }: EstateInHand,
  { cluster, from }: Pick<FailoverOrder, 'cluster' | 'from'>,
): Promise<Successor | undefined> {
  const view = await readClusterView(etcd, keys, cluster).catch(() => undefined);
  const authority = view?.authority?.value;
  if (authority?.phase !== 'open' || authority.leader === null || view?.activeOperation !== undefined)
    return undefined;
  const { leader, term } = authority;
  if (leader === from.leader || term <= from.term) return undefined;
  const recent = await listOperations({ etcd, keys, cluster, limit: RECENT_OPERATIONS }).catch(() => []);
  const own = recent.find((one) => one.kind === 'failover' && planOf(one).nextTerm === term);
  return { leader, term, by: own?.actor ?? null, forced: own?.reason === FORCED };
}

/** An agent has been quicker: what was refused is another failover, of its successor. */
async function isTakenOver(
  { etcd, keys }: EstateInHand,
  { cluster, from }: Pick<FailoverOrder, 'cluster' | 'from'>,
): Promise<boolean> {
  const view = await readClusterView(etcd, keys, cluster).catch(() => undefined);
  return (view?.authority?.value.term ?? 0) > from.term;
}

/** Fences a cluster and stops there: the operation that can be aborted or resumed. */
export const fenceOnly = (site: Site, cluster: string): Promise<string> =>
  withEstate(site, async ({ etcd, keys }) => {
    const stop = new AbortController();
    try {
      const { operation } = await runFailover({
        etcd,
        keys,
        cluster,
        force: true,
        actor: currentActor(),
        reason: REASON,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      });
      return operation.id;
    } catch (error) {
      const operation = operationOf(error);
      if (operation === undefined) throw nothingIfRefused(error);
      return operation;
    }
  });

/**
 * Gives an operation up: the old leader's authority is open again, one term later. One that was given up already stays so;
 * one that an agent has carried past its decision is finished.
 */
export const abortOperationOf = (site: Site, id: string, timeoutMs: number): Promise<OperationRecord> =>
  withEstate(site, async (estate) => {
    const { etcd, keys } = estate;
    try {
      return (await abortFailover({ etcd, keys, id, actor: currentActor(), reason: REASON })).operation;
    } catch (error) {
      if (!(error instanceof CapstanError && TOO_LATE.has(error.code))) throw error;
      return resumeUntilDone(estate, id, performance.now() + timeoutMs);
    }
  });

/** Finishes an operation from where its journal says it is. */
export const finishOperation = (site: Site, id: string, timeoutMs: number): Promise<OperationRecord> =>
  withEstate(site, (estate) => resumeUntilDone(estate, id, performance.now() + timeoutMs));

/** Lifts the block that many failovers of drills leave behind; false: there is none. */
export async function acknowledge(site: Site, { name: cluster, block }: ClusterView): Promise<boolean> {
  if (block === undefined) return false;
  return withEstate(site, async ({ etcd, keys }) => {
    const order = { etcd, keys, cluster, actor: currentActor(), reason: REASON };
    return (await acknowledgeBlock(order)).changed;
  });
}

/**
 * Ends whatever operation holds a cluster: forward if it goes forward, else back. Answers its id, or undefined when there
 * is none.
 */
export const endActiveOperation = (site: Site, cluster: string): Promise<string | undefined> =>
  withEstate(site, async ({ etcd, keys }) => {
    const id = (await readClusterView(etcd, keys, cluster))?.activeOperation?.value;
    if (id === undefined) return undefined;
    const control = { etcd, keys, id, actor: currentActor() };
    try {
      await resumeOperation(control);
    } catch (error) {
      // Too few voters may answer to go forward; before the decision there is a way back.
      await abortFailover({ ...control, reason: REASON }).catch(() => {
        throw error;
      });
    }
    return id;
  });

export async function resumeUntilDone(
  { etcd, keys }: EstateInHand,
  id: string,
  deadline: number,
): Promise<OperationRecord> {
  for (;;) {
    try {
      return (await resumeOperation({ etcd, keys, id, actor: currentActor() })).operation;
    } catch (error) {
      if (performance.now() > deadline) {
        throw unknownError(`operation ${id} can't be finished: ${messageOf(error)}`, {
          code: 'drill_heal_incomplete',
          next: `capstan operation resume ${id}`,
          cause: error,
        });
      }
    }
    await delay(RETRY_MS);
  }
}

function operationOf(error: unknown): string | undefined {
  if (!(error instanceof CapstanError) || error.code === 'operation_active') return undefined;
  const { operation } = error.data;
  return typeof operation === 'string' ? operation : undefined;
}
