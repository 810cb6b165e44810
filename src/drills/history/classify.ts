import { createHash } from 'node:crypto';
import { parseCommitToken } from '../../domain/commit-token.ts';
import type { Action, AsOf, CompletionLine, DecisionResult, Outcome, ReadResult } from './types.ts';

type Completion = Pick<CompletionLine, 'kind' | 'result' | 'as_of' | 'http' | 'code'>;
type Body = Readonly<Record<string, unknown>>;

export interface GatewayReply {
  readonly action: Action;
  readonly http: number;
  /** As parsed; whatever could not be parsed is not an answer. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of `read-open`: the request named no `after`, so that without a next page the list is whole. */
  readonly firstPage?: boolean;
}

const OUTCOMES: readonly string[] = ['confirmed', 'rejected', 'abandoned', 'lost'] satisfies Outcome[];

/**
 * How an answer of the gateway is to be believed. Only a stated outcome or state is `ok`; only a promised `effect: none`
 * is `fail`; all else, a 202 and a 5xx without the promise included, is `info`.
 */
export function classifyReply(reply: GatewayReply): Completion {
  const { action, http } = reply;
  const body = objectOf(reply.body);
  const code = textOf(body['code']) ?? (http === 202 ? textOf(body['status']) : null);
  const unsaid = { result: null, as_of: null, http, code };
  if (action === 'read-issuer' || action === 'read-open') {
    // An issuer without a limit is a state as well: it can be stale.
    const absent = http === 404 && code === 'issuer_not_found';
    if (absent) return { ...unsaid, kind: 'ok', result: NOTHING_SHOWN };
    if (http === 200) return { ...unsaid, kind: 'ok', result: shown(reply, body), as_of: asOf(reply, body) };
  } else if (action === 'resolve' && http === 404 && code === 'token_not_found') {
    return { ...unsaid, kind: 'ok', result: resolved('not_found', body), as_of: asOfEvidence(body) };
  } else {
    const outcome = textOf(body['status']);
    // A problem's `status` is its number, so text here is an outcome or `unknown`.
    if (outcome !== null && OUTCOMES.includes(outcome)) {
      const isAsked = action === 'resolve' || action === 'settle';
      const result = isAsked ? resolved(outcome as Outcome, body) : decided(outcome as Outcome, body);
      return {
        ...unsaid,
        kind: 'ok',
        result,
        as_of: action === 'resolve' ? asOfEvidence(body) : null,
        code: null,
      };
    }
  }
  return { ...unsaid, kind: body['effect'] === 'none' ? 'fail' : 'info' };
}

/** No answer came, or not all of it: the request may have been carried out. */
export function classifyFailure(error: unknown): Completion {
  const own = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  const code = typeof own === 'string' ? own : error instanceof Error ? error.name : 'error';
  return { kind: 'info', result: null, as_of: null, http: null, code };
}

const NOTHING_SHOWN: ReadResult = { limit: null, reserved: null, open_count: null, open: null };

function decided(outcome: Outcome, body: Body): DecisionResult {
  const { replayed, ...told } = body;
  return {
    outcome,
    reason: textOf(body['reason']),
    position: textOf(body['position']),
    commit_token: textOf(body['commit_token']),
    reservation: textOf(body['reservation_id']),
    remaining: textOf(body['remaining']),
    reserved_after: textOf(body['reserved']),
    limit_after: textOf(body['limit']),
    replayed: typeof replayed === 'boolean' ? replayed : null,
    digest: createHash('sha256').update(JSON.stringify(told)).digest('hex').slice(0, 16),
  };
}

/** A token's document differs in form from the first answer, so it has no digest. */
function resolved(outcome: Outcome, body: Body): DecisionResult {
  // A lost one has no commit token of its own any more: it is named with the operation that lost it.
  const lost = objectOf(body['lost']);
  const commitToken = textOf(body['commit_token']) ?? textOf(lost['commit_token']);
  return {
    outcome,
    reason: textOf(body['reason']),
    position: commitToken === null ? null : positionOf(commitToken),
    commit_token: commitToken,
    reservation: textOf(body['reservation_id']),
    remaining: textOf(body['remaining']),
    reserved_after: null,
    limit_after: null,
    replayed: null,
    ...(outcome === 'lost' ? { lost_by: textOf(lost['operation']) } : {}),
    digest: null,
  };
}

function positionOf(commitToken: string): string | null {
  try {
    return String(parseCommitToken(commitToken).position);
  } catch {
    return null;
  }
}

function shown({ action, firstPage = true }: GatewayReply, body: Body): ReadResult {
  if (action === 'read-issuer') {
    return {
      limit: textOf(body['limit']),
      reserved: textOf(body['reserved']),
      open_count: wholeOf(body['open_count']),
      open: null,
    };
  }
  const listed = Array.isArray(body['reservations']) ? body['reservations'].map(objectOf) : null;
  if (listed === null || !firstPage || typeof body['next_after'] === 'string') return NOTHING_SHOWN;
  const open = Object.fromEntries(
    listed.map((one) => [String(one['reservation_id']), String(one['notional'])]),
  );
  return { limit: null, reserved: null, open_count: listed.length, open };
}

function asOf({ headers = {} }: GatewayReply, body: Body): AsOf | null {
  const header = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : (value?.[0] ?? null);
  };
  // The shard's state that is shown; an issuer's own position is that of its last change.
  const token = header('capstan-position');
  const position = (token === null ? null : positionOf(token)) ?? textOf(body['position']);
  if (position === null) return null;
  const staleness = header('capstan-staleness-ms');
  return {
    shard: wholeOf(body['shard']),
    position,
    generation: wholeOf(header('capstan-generation')),
    term: wholeOf(header('capstan-term')),
    staleness_ms: staleness === 'unknown' ? 'unknown' : wholeOf(staleness),
    served_by: header('capstan-member'),
  };
}

/** The head that the authority looked at while it held it: a token that it didn't find is not at or below it. */
function asOfEvidence(body: Body): AsOf | null {
  const evidence = objectOf(body['evidence']);
  const position = textOf(evidence['position']);
  if (position === null) return null;
  return {
    shard: wholeOf(evidence['shard']),
    position,
    generation: wholeOf(evidence['generation']),
    term: wholeOf(evidence['term']),
    staleness_ms: null,
    served_by: textOf(evidence['member']),
  };
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const objectOf = (value: unknown): Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : {};

function wholeOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : null;
}
