import { assertNever, refusedError } from '../domain/errors.ts';
import type { AuthorityPhase, AuthorityRecord, DecidedPrefix } from '../domain/records.ts';

/** What may happen to a cluster's authority (SPEC.md, "Authority of a cluster"). */
export type AuthorityEvent =
  | { readonly kind: 'bootstrapped'; readonly leader: string }
  | { readonly kind: 'fence'; readonly operation: string; readonly freeze?: 'voters' }
  /** The old leader can confirm nothing any more: now all freeze. */
  | { readonly kind: 'proved' }
  | { readonly kind: 'decide'; readonly leader: string; readonly prefix: DecidedPrefix }
  | { readonly kind: 'open' }
  | { readonly kind: 'drain'; readonly operation: string }
  /** The leader that drained keeps its term: nothing was decided under another. */
  | { readonly kind: 'back-out' }
  /** What the leader handed over is held by the next one: decided, under the next term. */
  | { readonly kind: 'hand-over'; readonly leader: string; readonly prefix: DecidedPrefix }
  /** Given up before `decide`: the old leader again, under a term of its own. */
  | { readonly kind: 'abort'; readonly leader: string };

/** Null: the event is not allowed in that phase. */
export const AUTHORITY_TRANSITIONS: Readonly<
  Record<AuthorityPhase, Readonly<Record<AuthorityEvent['kind'], AuthorityPhase | null>>>
> = {
  bootstrap: {
    bootstrapped: 'open',
    fence: null,
    proved: null,
    decide: null,
    open: null,
    drain: null,
    'back-out': null,
    'hand-over': null,
    abort: null,
  },
  open: {
    bootstrapped: null,
    fence: 'fenced',
    proved: null,
    decide: null,
    open: null,
    drain: 'draining',
    'back-out': null,
    'hand-over': null,
    abort: null,
  },
  fenced: {
    bootstrapped: null,
    fence: null,
    proved: 'fenced',
    decide: 'promoting',
    open: null,
    drain: null,
    'back-out': null,
    'hand-over': null,
    abort: 'open',
  },
  promoting: {
    bootstrapped: null,
    fence: null,
    proved: null,
    decide: null,
    open: 'open',
    drain: null,
    'back-out': null,
    'hand-over': null,
    abort: null,
  },
  draining: {
    bootstrapped: null,
    fence: null,
    proved: null,
    decide: null,
    open: null,
    drain: null,
    'back-out': 'open',
    'hand-over': 'promoting',
    abort: null,
  },
};

/** The authority after an event. Pure: `at` is an input. Throws `authority_transition_refused` (exit 4). */
export function nextAuthority(
  authority: AuthorityRecord,
  event: AuthorityEvent,
  at: string,
): AuthorityRecord {
  const phase = AUTHORITY_TRANSITIONS[authority.phase][event.kind];
  if (phase === null) {
    throw refusedError(`an authority in phase ${authority.phase} can't take the event ${event.kind}`, {
      code: 'authority_transition_refused',
      data: { phase: authority.phase, term: authority.term, event: event.kind },
    });
  }
  const { freeze: _freeze, ...lasting } = authority;
  const next = { ...lasting, phase, since: at };
  switch (event.kind) {
    case 'bootstrapped':
      return { ...next, leader: event.leader };
    case 'fence':
      return {
        ...next,
        term: authority.term + 1,
        leader: null,
        operation: event.operation,
        prefix: null,
        ...(event.freeze === undefined ? {} : { freeze: event.freeze }),
      };
    case 'proved':
      return { ...next, freeze: 'all' };
    case 'decide':
      return { ...next, leader: event.leader, prefix: event.prefix };
    case 'open':
      return next;
    case 'drain':
      return { ...next, operation: event.operation };
    case 'back-out':
      return { ...next, operation: null };
    case 'hand-over':
      return { ...next, term: authority.term + 1, leader: event.leader, prefix: event.prefix };
    case 'abort':
      return { ...next, term: authority.term + 1, leader: event.leader, operation: null, prefix: null };
    default:
      return assertNever(event);
  }
}
