import { setTimeout as delay } from 'node:timers/promises';
import type { CompletionLine } from '../history/types.ts';
import type { Desk } from './desk.ts';
import type { WorkloadPlan } from './plan.ts';
import { RequestQueue } from './request-queue.ts';
import type { PlannedRequest } from './types.ts';

const PROCESSES_PER_REGION = 16;
const QUEUED_PER_REGION_MAX = 32;
/** Keeps a service without authority from being asked thousands of times a second. */
const AFTER_REFUSAL_MS = 150;

type Sender = Pick<Desk, 'send'>;

export interface LoadOptions {
  readonly plan: Pick<WorkloadPlan, 'requests'>;
  readonly desk: Sender;
  readonly regions: readonly string[];
  /** Aborted: no more requests are begun. */
  readonly enough: AbortSignal;
}

/**
 * Sends the plan's requests when their time has come (an open loop), by a bounded number of processes in each region; a
 * request that finds all of its region's processes busy and as many requests waiting is left out. Resolves once it is enough
 * and every request under way has its answer.
 */
export async function runLoad(options: LoadOptions): Promise<{ readonly leftOut: number }> {
  const { desk, regions, enough } = options;
  const queues = new Map(regions.map((region) => [region, new RequestQueue(QUEUED_PER_REGION_MAX)]));
  const processes = [...queues].flatMap(([region, queue]) =>
    Array.from({ length: PROCESSES_PER_REGION }, (_, index) =>
      work({ desk, queue, name: `${region}/${index + 1}`, ending: enough }),
    ),
  );
  try {
    return { leftOut: await schedule(options, queues) };
  } finally {
    for (const queue of queues.values()) queue.end();
    await Promise.all(processes);
  }
}

async function schedule(
  { plan, enough }: LoadOptions,
  queues: ReadonlyMap<string, RequestQueue>,
): Promise<number> {
  const start = performance.now();
  let leftOut = 0;
  for (const request of plan.requests()) {
    const early = start + request.atMs - performance.now();
    if (early > 1) await delay(early, undefined, { signal: enough }).catch(() => undefined);
    if (enough.aborted) break;
    if (queues.get(request.region)?.offer(request) !== true) leftOut += 1;
  }
  return leftOut;
}

/** One process: a request at a time. One that it left open stays pending for ever, so that it goes on under a new name. */
async function work(options: {
  readonly desk: Sender;
  readonly queue: RequestQueue;
  readonly name: string;
  readonly ending: AbortSignal;
}): Promise<void> {
  const { desk, queue, name, ending } = options;
  let left = 0;
  for (let request = await queue.take(); request !== undefined; request = await queue.take()) {
    const answer = await insist({ desk, request, ending, process: left === 0 ? name : `${name}.${left}` });
    if (answer.kind === 'info') left += 1;
    if (isRefusal(answer)) await pause(ending);
  }
}

/** Sends a request, and again under the same token for as often as the plan says, while its outcome is open. */
async function insist(options: {
  readonly desk: Sender;
  readonly request: PlannedRequest;
  readonly process: string;
  readonly ending: AbortSignal;
}): Promise<Pick<CompletionLine, 'kind' | 'http'>> {
  const { desk, request, process, ending } = options;
  let answer = await desk.send({ process, ...request });
  for (const via of request.retries) {
    if (answer.kind !== 'info' || ending.aborted) break;
    await pause(ending);
    answer = await desk.send({ process, ...request, via });
  }
  return answer;
}

/** The service didn't or couldn't act; a command that was refused for what it says is none. */
const isRefusal = ({ kind, http }: Pick<CompletionLine, 'kind' | 'http'>): boolean =>
  kind !== 'ok' && (http === null || http >= 500 || http === 202);

const pause = (signal: AbortSignal): Promise<void> =>
  delay(AFTER_REFUSAL_MS, undefined, { signal }).catch(() => undefined);
