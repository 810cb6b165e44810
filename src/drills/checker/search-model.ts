import type { CompletionLine, DecisionResult, InvokeLine, ReadResult } from '../history/types.ts';

/** A request with what was answered; `until` is Infinity when nothing was. */
export interface Call {
  readonly request: InvokeLine;
  readonly answer: CompletionLine | null;
  readonly from: number;
  readonly until: number;
}

interface Kept {
  readonly action: string;
  readonly content: string;
  readonly outcome: string;
  readonly reserved: bigint;
  readonly limit: bigint;
}

/** One issuer, one step after the other. Never changed in place. */
export interface ModelState {
  readonly limit: bigint | null;
  readonly reserved: bigint;
  readonly tokens: ReadonlyMap<string, Kept>;
  /** Notional of what is open; -1 of what was released. */
  readonly reservations: ReadonlyMap<string, bigint>;
}

export const EMPTY: ModelState = { limit: null, reserved: 0n, tokens: new Map(), reservations: new Map() };

export const keyOf = ({ limit, reserved, tokens, reservations }: ModelState): string =>
  `${limit}|${reserved}|${Array.from(
    tokens,
    ([token, { outcome, reserved: after }]) => `${token}=${outcome}${after}`,
  )
    .toSorted()
    .join()}|${Array.from(reservations, ([id, notional]) => `${id}=${notional}`)
    .toSorted()
    .join()}`;

function cents(text: string | null | undefined): bigint | null {
  if (text === null || text === undefined) return null;
  const [whole = '0', part = ''] = text.split('.');
  return BigInt(`${whole}${part.padEnd(2, '0')}`);
}

/** The state after the call, or null when its answer can't come from this state. */
export function step(state: ModelState, call: Call): ModelState | null {
  const { request, answer } = call;
  const said = answer?.kind === 'ok' ? answer.result : null;
  if (request.action === 'read-issuer' || request.action === 'read-open') {
    return said === null || showsIt(state, said as ReadResult) ? state : null;
  }
  const told = said as DecisionResult | null;
  if (request.action === 'resolve') {
    const kept = state.tokens.get(request.token ?? '');
    return told === null || told.outcome === (kept?.outcome ?? 'not_found') ? state : null;
  }
  const next = decide(state, call, told);
  if (told === null) return next ?? state;
  const kept = next?.tokens.get(request.token ?? '');
  return next !== null && kept !== undefined && agrees(kept, told) ? next : null;
}

/** Null when the request is refused without effect. */
function decide(state: ModelState, { request }: Call, told: DecisionResult | null): ModelState | null {
  const { action } = request;
  const token = request.token ?? '';
  const notional = cents(request.notional);
  const reservation = told?.reservation ?? request.reservation ?? `of ${token}`;
  const content = `${request.notional}|${request.limit}|${request.reservation}`;
  const known = state.tokens.get(token);
  if (known !== undefined) {
    const isSame = action === 'settle' || known.outcome === 'abandoned';
    return isSame || (known.action === action && known.content === content) ? state : null;
  }
  const keep = (outcome: string, change: Partial<ModelState> = {}): ModelState => {
    const after = { ...state, ...change };
    const kept = { action, content, outcome, reserved: after.reserved, limit: after.limit ?? 0n };
    return { ...after, tokens: new Map(state.tokens).set(token, kept) };
  };
  if (action === 'settle') return keep('abandoned');
  if (action === 'set-limit' || (action === 'correct' && state.limit !== null)) {
    return keep('confirmed', { limit: cents(request.limit ?? request.notional) });
  }
  if (state.limit === null) return null;
  const held = state.reservations.get(reservation);
  if (action === 'reserve' && notional !== null && held === undefined) {
    if (state.reserved + notional > state.limit) return keep('rejected');
    const reservations = new Map(state.reservations).set(reservation, notional);
    return keep('confirmed', { reserved: state.reserved + notional, reservations });
  }
  if (action === 'release' && held !== undefined) {
    if (held < 0n) return keep('rejected');
    const reservations = new Map(state.reservations).set(reservation, -1n);
    return keep('confirmed', { reserved: state.reserved - held, reservations });
  }
  return null;
}

function agrees({ outcome, reserved, limit }: Kept, told: DecisionResult): boolean {
  if (told.outcome !== outcome) return false;
  if (outcome === 'abandoned') return true;
  return (
    (cents(told.reserved_after) ?? reserved) === reserved &&
    (cents(told.limit_after) ?? limit) === limit &&
    (cents(told.remaining) ?? limit - reserved) === limit - reserved
  );
}

function showsIt({ limit, reserved, reservations }: ModelState, shown: ReadResult): boolean {
  if (limit === null) return shown.limit === null && shown.reserved === null;
  const open = [...reservations].filter(([, notional]) => notional >= 0n);
  return (
    (cents(shown.limit) ?? limit) === limit &&
    (cents(shown.reserved) ?? reserved) === reserved &&
    (shown.open_count ?? open.length) === open.length &&
    (shown.open === null ||
      (Object.keys(shown.open).length === open.length &&
        open.every(([id, notional]) => cents(shown.open?.[id]) === notional)))
  );
}
