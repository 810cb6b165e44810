import { setTimeout as delay } from 'node:timers/promises';
import { unknownError } from '../../domain/errors.ts';
import type { Desk } from './desk.ts';
import type { PlannedIssuer } from './types.ts';

const AT_ONCE = 8;
const AGAIN_AFTER_MS = 150;

/**
 * Gives each issuer its limit, through the gateways by turns. Throws CapstanError `drill_unfinished` (exit 5) when the time is
 * up.
 */
export async function setLimits(options: {
  readonly desk: Desk;
  readonly issuers: readonly PlannedIssuer[];
  readonly regions: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { desk, regions, signal } = options;
  const deadline = performance.now() + options.timeoutMs;
  const queue = [...options.issuers.entries()];
  const work = async (process: string): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, { issuer, limit }] = next;
      const ask = { action: 'set-limit', issuer, token: `${issuer}-limit`, limit } as const;
      for (let attempt = index; ; attempt += 1) {
        signal.throwIfAborted();
        const via = regions[attempt % regions.length] ?? '';
        const { kind, code } = await desk.send({ process, ask, desk: null, via });
        if (kind === 'ok') break;
        if (performance.now() > deadline) {
          throw unknownError(`the limit of ${issuer} can't be set: ${code ?? 'no code'}`, {
            code: 'drill_unfinished',
            next: 'capstan status',
          });
        }
        await delay(AGAIN_AFTER_MS, undefined, { signal });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(`operator/${index + 1}`)));
}
