import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import { readClusterView } from '../../../controlplane/cluster-view.ts';
import { abortFailover } from '../../../controlplane/failover/resume.ts';
import { runFailover } from '../../../controlplane/failover/run.ts';
import { resumeOperation } from '../../../controlplane/operation-control.ts';
import { CapstanError, messageOf, unknownError } from '../../../domain/errors.ts';
import type { OperationRecord } from '../../../domain/records.ts';
import { type EstateInHand, withEstate } from './clusters.ts';
import { nothingIfRefused } from './nothing.ts';
import type { Site } from './site.ts';

const RETRY_MS = 150;
const REASON = 'drill';
/** Refusals that end by themselves once a follower's agent is heard again. */
const UNTIL_HEARD: ReadonlySet<string> = new Set(['no_candidate', 'too_few_voters']);

export interface FailoverOrder {
  readonly cluster: string;
  /** True: although the leader looks healthy. */
  readonly force: boolean;
  readonly timeoutMs: number;
  /** Aborted: it isn't begun any more; one that was begun is finished. */
  readonly signal: AbortSignal;
}

/**
 * An in-region failover, begun as soon as the leader's loss shows and finished whatever stops it on the way. Throws the
 * refusal when it isn't a passing one, or what stopped it last when the time is up.
 */
export const failOver = (site: Site, order: FailoverOrder): Promise<OperationRecord> =>
  withEstate(site, async (estate) => {
    const { cluster, force, timeoutMs, signal } = order;
    const { etcd, keys } = estate;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        const run = { etcd, keys, cluster, force, actor: currentActor(), reason: REASON };
        return (await runFailover(run)).operation;
      } catch (error) {
        const operation = operationOf(error);
        if (operation !== undefined) return resumeUntilDone(estate, operation, deadline);
        const passing = error instanceof CapstanError && (error.retryable || UNTIL_HEARD.has(error.code));
        if (!passing || signal.aborted || performance.now() > deadline) throw nothingIfRefused(error);
      }
      await delay(RETRY_MS);
    }
  });

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

/** Gives an operation up: the old leader's authority is open again, one term later. One that was given up already stays so. */
export const abortOperationOf = (site: Site, id: string): Promise<OperationRecord> =>
  withEstate(
    site,
    async ({ etcd, keys }) =>
      (await abortFailover({ etcd, keys, id, actor: currentActor(), reason: REASON })).operation,
  );

/** Finishes an operation from where its journal says it is. */
export const finishOperation = (site: Site, id: string, timeoutMs: number): Promise<OperationRecord> =>
  withEstate(site, (estate) => resumeUntilDone(estate, id, performance.now() + timeoutMs));

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

async function resumeUntilDone(
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
