import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';
import { parseAmount, type Cents } from '../domain/money.ts';
import { defaultReservationId } from '../reservations/hash.ts';
import { fieldInvalid } from './problem.ts';

type Body = Readonly<Record<string, unknown>>;

export interface ReserveRequest {
  readonly issuer: string;
  readonly token: string;
  readonly notional: Cents;
  /** What the client named, else null: part of the content that the token binds. */
  readonly requestedReservation: string | null;
  readonly reservation: string;
}

export interface ReleaseRequest {
  readonly issuer: string;
  readonly token: string;
  readonly reservation: string;
}

const RESERVE_FIELDS: ReadonlySet<string> = new Set([
  'issuer_id',
  'notional',
  'reservation_token',
  'reservation_id',
]);
const RELEASE_FIELDS: ReadonlySet<string> = new Set(['issuer_id', 'reservation_token']);

/** Checks a reservation by hand: this runs for every request. Throws ProblemError `field_invalid`. */
export function readReserveRequest(body: Body, idempotencyKey: unknown): ReserveRequest {
  refuseUnknownFields(body, RESERVE_FIELDS);
  const issuer = readId(body['issuer_id'], 'issuer_id');
  const notional = readAmount(body['notional'], 'notional');
  if (notional === 0n) throw fieldInvalid('notional', 'must be more than 0');
  const token = readToken(body, idempotencyKey);
  const named = body['reservation_id'];
  const requestedReservation = named === undefined ? null : readId(named, 'reservation_id');
  return {
    issuer,
    token,
    notional,
    requestedReservation,
    reservation: requestedReservation ?? defaultReservationId(issuer, token),
  };
}

/** Checks a release. `reservationId` comes from the path. Throws ProblemError `field_invalid`. */
export function readReleaseRequest(
  reservationId: unknown,
  body: Body,
  idempotencyKey: unknown,
): ReleaseRequest {
  const reservation = readId(reservationId, 'reservation_id');
  refuseUnknownFields(body, RELEASE_FIELDS);
  return {
    issuer: readId(body['issuer_id'], 'issuer_id'),
    token: readToken(body, idempotencyKey),
    reservation,
  };
}

export function refuseUnknownFields(body: Body, known: ReadonlySet<string>): void {
  for (const field of Object.keys(body)) {
    if (!known.has(field)) throw fieldInvalid(field.slice(0, 80), 'is not a field of this request');
  }
}

export function readId(value: unknown, field: string): string {
  if (isClientId(value)) return value;
  throw fieldInvalid(field, value === undefined ? 'is required' : `must be ${CLIENT_ID_RULE}`);
}

/** The amount in cents, zero included. */
export function readAmount(value: unknown, field: string): Cents {
  const cents = parseAmount(value);
  if (cents !== undefined) return cents;
  if (value === undefined) throw fieldInvalid(field, 'is required');
  throw fieldInvalid(
    field,
    typeof value === 'number' && (Number.isNaN(value) || Math.abs(value) * 100 > Number.MAX_SAFE_INTEGER)
      ? 'is not exact as a JSON number: send it as text'
      : 'must be a decimal of at most 2 places, not negative, up to 10^15',
  );
}

/** The token from the body or the `Idempotency-Key` header; both must agree when both are there. */
export function readToken(body: Body, idempotencyKey: unknown): string {
  const inBody = body['reservation_token'];
  if (idempotencyKey === undefined) return readId(inBody, 'reservation_token');
  const key = readId(unquoted(idempotencyKey), 'Idempotency-Key');
  if (inBody !== undefined && readId(inBody, 'reservation_token') !== key) {
    throw fieldInvalid('reservation_token', 'differs from the header Idempotency-Key');
  }
  return key;
}

/** The header is a structured string in the IETF draft, so `"tok-77"` and `tok-77` are the same key. */
const unquoted = (value: unknown): unknown =>
  typeof value === 'string' && /^".*"$/.test(value) ? value.slice(1, -1) : value;
