import { setTimeout as delay } from 'node:timers/promises';
import type { DeskClient, Desks } from './desk-client.ts';
import type { Attempt } from './history.ts';
import { sized } from './proof.ts';

/** Quick: the machine's cores are left to what is tested. */
const THINK_MS = sized({ full: 0, quick: 25 });
/** Keeps a service without authority from being asked thousands of times a second. */
const AFTER_REFUSAL_MS = 150;

export interface LoadOptions {
  readonly desks: Desks;
  /** For each gateway. */
  readonly callersPerGateway: number;
  readonly issuers: readonly string[];
  readonly seed: number;
  /** Marks this load's tokens. */
  readonly name: string;
}

/**
 * Callers at every gateway that reserve, sometimes release what they hold, and send again, through any gateway, whatever
 * was left unknown. `stop` lets each finish its request.
 */
export function startLoad(options: LoadOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const callers = options.desks.all.flatMap((desk, gateway) =>
    Array.from({ length: options.callersPerGateway }, (_, index) =>
      call({
        ...options,
        desk,
        number: gateway * options.callersPerGateway + index,
        stopping: stopping.signal,
      }),
    ),
  );
  const all = Promise.all(callers);
  return {
    stop: async () => {
      stopping.abort();
      await all;
    },
  };
}

interface Caller extends LoadOptions {
  readonly desk: DeskClient;
  readonly number: number;
  readonly stopping: AbortSignal;
}

async function call({ desks, desk, number, name, seed, issuers, stopping }: Caller): Promise<void> {
  const random = randomOf(seed * 1_000 + number);
  const process = `${desk.via}/${number}`;
  const held: { issuer: string; reservation: string }[] = [];
  for (let n = 0; !stopping.aborted; n += 1) {
    const token = `${name}-${number}-${n}`;
    const mine = random() < 0.2 ? held.pop() : undefined;
    const issuer = mine?.issuer ?? issuers[Math.floor(random() * issuers.length)] ?? '';
    // Uneven amounts leave headroom that fits one caller and not the next.
    const notional = `${1 + Math.floor(random() * 40)}.${String(Math.floor(random() * 100)).padStart(2, '0')}`;
    const send = (to: DeskClient): Promise<Attempt> =>
      mine === undefined
        ? to.reserve({ issuer, notional, token, process })
        : to.release({ issuer, reservation: mine.reservation, token, process });
    let answer = await send(desk);
    if (answer.kind === 'info' && random() < 0.5) {
      const other = desks.all[Math.floor(random() * desks.all.length)] ?? desk;
      answer = await send(desks.at(other.via, { keyOf: desk.via }));
    }
    if (answer.kind === 'ok' && answer.outcome === 'confirmed' && mine === undefined) {
      if (answer.reservation !== null) held.push({ issuer, reservation: answer.reservation });
    }
    const restMs = answer.kind === 'ok' ? THINK_MS : AFTER_REFUSAL_MS;
    if (restMs > 0) await delay(restMs);
  }
}

/** A small seeded generator (mulberry32), so that a round can be run again. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
