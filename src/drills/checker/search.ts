import type { HistoryLine } from '../history/types.ts';
import { type Call, EMPTY, keyOf, type ModelState, step } from './search-model.ts';

export type SearchResult =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'not linearizable'; readonly issuer: string }
  /** Some issuer has too many calls, or too many orders of them, to be sure. */
  | { readonly kind: 'too large'; readonly issuer: string };

const CALLS_MAX = 200;
const STATES_MAX = 20_000;

/**
 * Whether, issuer by issuer, all answers can come from one service that does one thing at a time: Wing and Gong's search
 * with Lowe's memory of what was tried. Positions are not looked at, and nothing is shared with the rules, so that
 * neither can hide a mistake of the other. Issuers that existed before the history, and those that a failover took
 * something from, are left out: their answers come from more than one sequence of steps.
 */
export function searchLinearization(
  lines: Iterable<HistoryLine>,
  { statesMax = STATES_MAX }: { readonly statesMax?: number } = {},
): SearchResult {
  const calls = new Map<string, Call[]>();
  const pending = new Map<string, { request: Extract<HistoryLine, { kind: 'invoke' }> }>();
  const skipped = new Set<string>();
  const keep = (call: Call): void => {
    const { issuer } = call.request;
    // A refusal promised that it did nothing, a stale read that it is no part of the order.
    if (call.answer?.kind === 'fail' || (call.answer?.as_of?.staleness_ms ?? 0) !== 0) return;
    const list = calls.get(issuer) ?? [];
    calls.set(issuer, list);
    list.push(call);
  };
  for (const line of lines) {
    if (line.kind === 'invoke') {
      const left = pending.get(line.process);
      if (left !== undefined) keep({ ...left, answer: null, from: left.request.i, until: Infinity });
      pending.set(line.process, { request: line });
    } else if (line.kind === 'ok' || line.kind === 'fail' || line.kind === 'info') {
      const found = pending.get(line.process);
      pending.delete(line.process);
      const until = line.kind === 'ok' ? line.i : Infinity;
      if (found !== undefined) keep({ ...found, answer: line, from: found.request.i, until });
    } else if (line.kind === 'lost') {
      skipped.add(line.issuer);
    }
  }
  for (const left of pending.values()) keep({ ...left, answer: null, from: left.request.i, until: Infinity });
  let large: string | null = null;
  for (const [issuer, list] of calls) {
    if (skipped.has(issuer) || !beginsWithin(list)) continue;
    const found = searchIssuer(
      list.toSorted((a, b) => a.from - b.from),
      statesMax,
    );
    if (found === 'not linearizable') return { kind: found, issuer };
    if (found === 'too large') large = issuer;
  }
  return large === null ? { kind: 'linearizable' } : { kind: 'too large', issuer: large };
}

/** What was answered first is a limit, with nothing reserved. */
function beginsWithin(calls: readonly Call[]): boolean {
  const [answered] = calls.filter(({ until }) => until < Infinity).toSorted((a, b) => a.until - b.until);
  const result = answered?.answer?.result;
  const wasEmpty = !(result && 'reserved_after' in result) || Number(result.reserved_after) === 0;
  return answered?.request.action === 'set-limit' && wasEmpty;
}

interface Frame {
  readonly state: ModelState;
  /** A bit for each call that has taken its turn. */
  readonly done: bigint;
}

/** Depth first; what was reached once with the same turns taken and the same state is not tried again. */
function searchIssuer(calls: readonly Call[], statesMax: number): SearchResult['kind'] {
  if (calls.length > CALLS_MAX) return 'too large';
  const turns = calls.map((call, index) => ({ call, bit: 1n << BigInt(index) }));
  const tried = new Set<string>();
  const stack: Frame[] = [{ state: EMPTY, done: 0n }];
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    const { done } = frame;
    const left = turns.filter(({ bit }) => (done & bit) === 0n);
    // Whoever asked after another was answered comes after it.
    const bound = Math.min(...left.map(({ call }) => call.until));
    if (bound === Infinity) return 'linearizable';
    for (const { call, bit } of left.toReversed()) {
      if (call.from > bound) continue;
      const state = step(frame.state, call);
      if (state === null || (state === frame.state && call.until === Infinity)) continue;
      const next = done | bit;
      const key = `${next.toString(36)}#${keyOf(state)}`;
      if (tried.has(key)) continue;
      if (tried.size >= statesMax) return 'too large';
      tried.add(key);
      stack.push({ state, done: next });
    }
  }
  return 'not linearizable';
}
