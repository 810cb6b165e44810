import { createHash } from 'node:crypto';
import { assertNever } from '../domain/errors.ts';

/** What a reservation token is bound to, besides its issuer and desk. Amounts are cents. */
export type CommandBody =
  | { readonly kind: 'reserve'; readonly notional: bigint; readonly reservation: string | null }
  | { readonly kind: 'release'; readonly reservation: string }
  | { readonly kind: 'set-limit'; readonly limit: bigint }
  | { readonly kind: 'correct'; readonly limit: bigint; readonly reason: string };

export interface BoundCommand {
  readonly issuer: string;
  readonly desk: string;
  readonly body: CommandBody;
}

/**
 * Hex SHA-256 over issuer, desk, command and body, equal for equal requests however they were spelled, different
 * otherwise. For `reserve`, `reservation` is what the client sent: null and an explicit id are different requests.
 */
export function bodyHash({ issuer, desk, body }: BoundCommand): string {
  // A JSON array of strings can't be read in two ways, whatever the strings hold.
  const canonical = JSON.stringify([1, issuer, desk, body.kind, ...fieldsOf(body)]);
  return createHash('sha256').update(canonical, 'utf8').digest('hex');
}

function fieldsOf(body: CommandBody): (string | null)[] {
  switch (body.kind) {
    case 'reserve':
      return [String(body.notional), body.reservation];
    case 'release':
      return [body.reservation];
    case 'set-limit':
      return [String(body.limit)];
    case 'correct':
      return [String(body.limit), body.reason];
    default:
      return assertNever(body);
  }
}

/** Crockford's base 32: no I, L, O or U to misread. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const ID_CHARACTERS = 12;

/**
 * The reservation id of a client that names none: `R-` and 12 characters from issuer and token, so that a retry names
 * the same reservation. 60 bits: within an issuer, a clash is refused (`reservation_exists`), never merged.
 */
export function defaultReservationId(issuer: string, token: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(['reservation', issuer, token]), 'utf8')
    .digest();
  let bits = digest.readBigUInt64BE(0);
  let id = '';
  for (let index = 0; index < ID_CHARACTERS; index += 1) {
    id += ALPHABET[Number(bits & 31n)];
    bits >>= 5n;
  }
  return `R-${id}`;
}
