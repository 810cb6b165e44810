import { assertNever } from '../../domain/errors.ts';
import { formatAmount } from '../../domain/money.ts';
import type { Ask, SentBound } from './types.ts';

/** A request as the gateway's API takes it (docs/api, `/openapi.json`). */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body: Readonly<Record<string, string>> | undefined;
}

/** The most that one page of open reservations holds. */
const PAGE = 500;

const segment = encodeURIComponent;

/** The HTTP of a request. A later page of a list is asked for as the one before it said. */
export function httpOf(ask: Ask, bound: SentBound): HttpRequest {
  switch (ask.action) {
    case 'reserve':
      return post('/reservations', {
        issuer_id: ask.issuer,
        notional: formatAmount(ask.notional),
        reservation_token: ask.token,
        ...(ask.reservation === null ? {} : { reservation_id: ask.reservation }),
      });
    case 'release':
      return post(`/reservations/${segment(ask.reservation)}/release`, {
        issuer_id: ask.issuer,
        reservation_token: ask.token,
      });
    case 'set-limit':
    case 'correct':
      return {
        method: 'PUT',
        path: `/issuers/${segment(ask.issuer)}/limit`,
        body: {
          limit: formatAmount(ask.limit),
          reservation_token: ask.token,
          ...(ask.action === 'correct' ? { reason: 'a drill' } : {}),
        },
      };
    case 'settle':
      return post(`/reservation-tokens/${segment(ask.token)}/settle`, { issuer_id: ask.issuer });
    case 'resolve':
      return get(`/reservation-tokens/${segment(ask.token)}?issuer_id=${segment(ask.issuer)}`);
    case 'read-issuer':
      return get(`/issuers/${segment(ask.issuer)}?${boundOf(bound)}`);
    case 'read-open':
      return get(`/issuers/${segment(ask.issuer)}/open-reservations?limit=${PAGE}&${boundOf(bound)}`);
    default:
      return assertNever(ask);
  }
}

const boundOf = ({ atLeast, maxStalenessMs }: SentBound): string =>
  new URLSearchParams({
    ...(atLeast === null ? {} : { commit_token: atLeast }),
    ...(maxStalenessMs === null ? {} : { max_staleness_ms: String(maxStalenessMs) }),
  }).toString();

export const get = (path: string): HttpRequest => ({ method: 'GET', path, body: undefined });
const post = (path: string, body: Readonly<Record<string, string>>): HttpRequest => ({
  method: 'POST',
  path,
  body,
});
