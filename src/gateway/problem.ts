/** Every problem that the API can answer with, by its stable code: HTTP status and title (RFC 9457). */
const CATALOGUE = {
  body_invalid: [400, 'The body is not a JSON object'],
  field_invalid: [400, 'A field of the request is missing or wrong'],
  unauthenticated: [401, 'No valid key was presented'],
  forbidden: [403, 'This key may not do that'],
  not_your_reservation: [403, 'The reservation belongs to another desk'],
  not_found: [404, 'There is nothing at this address'],
  issuer_not_found: [404, 'The issuer has no limit yet'],
  reservation_not_found: [404, 'The issuer has no such reservation'],
  token_not_found: [404, 'The authority knows no such reservation token'],
  projections_missing: [404, 'The estate keeps no projections'],
  page_outdated: [409, 'The projections were rebuilt since this page began'],
  reservation_exists: [409, 'The reservation id was made by another token'],
  issuer_required: [409, 'Several issuers know this reservation token'],
  commit_token_lost: [409, 'A failover lost what the commit token names'],
  commit_token_unknown: [409, 'The authority has no such position'],
  page_expired: [409, 'The state of the first page can no longer be shown'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body must be application/json'],
  token_reused: [422, 'The reservation token was used with other content'],
  internal: [500, 'The gateway failed'],
  admission_full: [503, 'As many requests wait as are admitted'],
  admission_closed: [503, 'Admission is closed'],
  commit_token_behind: [503, 'Nobody who can be asked reflects the commit token yet'],
  durability_weakened: [503, 'The leader is set weaker than its membership demands'],
  estate_unknown: [503, 'The gateway has no current view of the estate'],
  leader_unreachable: [503, 'The leader cannot be reached'],
  lease_lapsed: [503, 'The leader has no valid lease'],
  no_authority: [503, 'The cluster has no leader now'],
  not_sent: [503, 'The deadline passed before the request was sent'],
  not_yet_durable: [503, 'What was read is not yet held by the follower'],
  projections_unreachable: [503, 'The projections cannot be reached'],
  outcome_unknown: [503, 'The authority could not say'],
  route_stale: [503, 'The authority changed and its successor is not known yet'],
  rpo_lapsed: [503, 'The right to decide under the advertised RPO has lapsed'],
  rpo_throttled: [503, 'Decisions are slowed until the remote follower is near again'],
  shard_busy: [503, 'The shard did not come free in time'],
  shard_sealed: [503, 'The shard is being handed over'],
  staleness_bound_unmet: [503, 'Nobody who can be asked is as fresh as demanded'],
  stopping: [503, 'The gateway is stopping'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof CATALOGUE;
export const PROBLEM_CODES = Object.keys(CATALOGUE) as readonly ProblemCode[];

export interface ProblemDetails {
  /** What happened, for a person. */
  readonly detail: string;
  /** The field of the request at fault. */
  readonly field?: string;
  /** Set when the refused command provably had no effect; the same token may be sent again. */
  readonly effect?: 'none';
  readonly retryAfterMs?: number;
  /** Further members of the document. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A refusal on its way to the client. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, details: ProblemDetails) {
    super(details.detail);
    this.name = 'ProblemError';
    this.code = code;
    this.details = details;
  }
}

/** The request names a field wrongly; nothing was tried. */
export const fieldInvalid = (field: string, detail: string): ProblemError =>
  new ProblemError('field_invalid', { field, detail: `${field}: ${detail}` });

export const problemStatus = (code: ProblemCode): number => CATALOGUE[code][0];
export const problemTitle = (code: ProblemCode): string => CATALOGUE[code][1];

/** The RFC 9457 document of a problem. `instance` is the path that was asked for. */
export function problemDocument(code: ProblemCode, details: ProblemDetails, instance: string) {
  return {
    type: `urn:capstan:problem:${code.replaceAll('_', '-')}`,
    title: problemTitle(code),
    status: problemStatus(code),
    detail: details.detail,
    code,
    ...(details.field === undefined ? {} : { field: details.field }),
    instance,
    ...(details.effect === undefined ? {} : { effect: details.effect }),
    ...details.data,
  };
}

/** `Retry-After` counts whole seconds, and zero would invite a storm. */
export const retryAfterSeconds = (ms: number | undefined): string =>
  String(Math.max(1, Math.ceil((ms ?? 1_000) / 1_000)));
