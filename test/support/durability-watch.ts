import { setTimeout as delay } from 'node:timers/promises';
import type { TestSandbox } from './sandbox.ts';

const EVERY_MS = 20;

export interface DurabilityWatch {
  /** What answers to decisions have said of durability so far, each once. */
  readonly said: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** One more caller, which decides all along and notes what each answer says of its durability. */
export function watchDurability({ environment }: TestSandbox, issuer: string): DurabilityWatch {
  const said = new Set<string>();
  const stopping = new AbortController();
  const [gateway] = environment.gateways;
  const key = environment.keys[`desk-${gateway?.region}`];
  const once = async (n: number): Promise<void> => {
    const answer = await fetch(`${gateway?.url}/reservations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ issuer_id: issuer, notional: '1.00', reservation_token: `watch-${n}` }),
      signal: AbortSignal.timeout(8_000),
    });
    await answer.body?.cancel();
    // Only what was decided: a refusal is not answered by anybody's durability.
    if (answer.ok) said.add(answer.headers.get('capstan-durability') ?? 'nothing');
  };
  const watching = (async () => {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      await once(n);
      await delay(EVERY_MS);
    }
  })();
  return {
    said,
    stop: async () => {
      stopping.abort();
      await watching;
    },
  };
}
