import { setTimeout as delay } from 'node:timers/promises';
import type { Estate, Writer } from './estate.ts';

/** A try that has no answer by then is given up and the next is sent. */
export const TRY_DEADLINE_MS = 1_000;
/** Between two tries, so that the client leaves the processors to whom it waits for. */
export const TRY_PAUSE_MS = 5;
const STEADY_MS_MIN = 2_000;
const STEADY_MS_SPREAD = 1_000;
const GIVE_UP_MS = 60_000;

/** From the death of the leader's processes to the first confirmed write, in milliseconds of one monotonic clock. */
export async function measureFailover({ writers, killLeader }: Estate, signal: AbortSignal): Promise<number> {
  // A spread over more than a renewal period: the death must not fall into the same moment of it each time.
  await writeFor(writers, STEADY_MS_MIN + Math.random() * STEADY_MS_SPREAD, signal);
  await firstConfirmed(writers, signal);
  const diedAt = await killLeader();
  return (await firstConfirmed(writers, signal)) - diedAt;
}

async function writeFor(writers: readonly Writer[], forMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + forMs;
  while (performance.now() < until) await firstConfirmed(writers, signal);
}

/** The moment at which the first of the writers had a write confirmed. Throws when none has for two minutes. */
async function firstConfirmed(writers: readonly Writer[], signal: AbortSignal): Promise<number> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  let confirmedAt: number | undefined;
  const tryOn = async (write: Writer): Promise<void> => {
    while (confirmedAt === undefined) {
      signal.throwIfAborted();
      if (await write(TRY_DEADLINE_MS)) {
        confirmedAt ??= performance.now();
        return;
      }
      if (performance.now() > giveUpAt) throw new Error(`no write was confirmed in ${GIVE_UP_MS / 1_000} s`);
      await delay(TRY_PAUSE_MS);
    }
  };
  await Promise.all(writers.map(tryOn));
  return confirmedAt ?? Number.NaN;
}
