/** What clients saw: every request with its answer, by one recorder on one monotonic clock. */

/** `ok`: an outcome was reported; `fail`: provably no effect; `info`: anything may have happened. */
export type AttemptKind = 'ok' | 'fail' | 'info';
export type ReportedOutcome = 'confirmed' | 'rejected' | 'abandoned';

export interface Attempt {
  readonly process: string;
  readonly via: string;
  readonly action: 'reserve' | 'release' | 'settle' | 'resolve';
  readonly issuer: string;
  readonly token: string;
  /** `performance.now()` before the request was sent. */
  readonly invokedAt: number;
  readonly answeredAt: number;
  readonly kind: AttemptKind;
  readonly outcome: ReportedOutcome | null;
  readonly http: number | null;
  /** A problem's code, or the transport's error. */
  readonly code: string | null;
  readonly commitToken: string | null;
  readonly reservation: string | null;
  readonly replayed: boolean | null;
}

export class History {
  readonly #attempts: Attempt[] = [];

  record(attempt: Attempt): Attempt {
    this.#attempts.push(Object.freeze(attempt));
    return attempt;
  }

  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** The scale of what was shown, for the report: `412 requests: 96 confirmed, …`. */
  summary(): string {
    const tokens = new Set(this.#attempts.map(({ issuer, token }) => `${issuer} ${token}`));
    const count = (wanted: (attempt: Attempt) => boolean) => this.#attempts.filter(wanted).length;
    const parts = [
      ...(['confirmed', 'rejected', 'abandoned'] as const).map(
        (outcome) => `${count((one) => one.outcome === outcome)} ${outcome}`,
      ),
      `${count(({ kind }) => kind === 'info')} unknown`,
      `${count(({ kind }) => kind === 'fail')} refused without effect`,
    ];
    return `${this.#attempts.length} requests, ${tokens.size} tokens: ${parts.join(', ')}`;
  }
}

interface ReplyBody {
  readonly status?: unknown;
  readonly code?: unknown;
  readonly effect?: unknown;
  readonly commit_token?: unknown;
  readonly reservation_id?: unknown;
  readonly replayed?: unknown;
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const OUTCOMES: readonly unknown[] = ['confirmed', 'rejected', 'abandoned'] satisfies ReportedOutcome[];

/** How an answer is to be believed. Only a stated outcome is one, and only a promised `effect: none` is a failure. */
export function classify(
  http: number,
  body: unknown,
): Pick<Attempt, 'kind' | 'outcome' | 'http' | 'code' | 'commitToken' | 'reservation' | 'replayed'> {
  const reply = (typeof body === 'object' && body !== null ? body : {}) as ReplyBody;
  const outcome = OUTCOMES.includes(reply.status) ? (reply.status as ReportedOutcome) : null;
  return {
    kind: outcome !== null ? 'ok' : reply.effect === 'none' ? 'fail' : 'info',
    outcome,
    http,
    code: text(reply.code) ?? (outcome === null ? text(reply.status) : null),
    commitToken: text(reply.commit_token),
    reservation: text(reply.reservation_id),
    replayed: typeof reply.replayed === 'boolean' ? reply.replayed : null,
  };
}

export const unanswered = (error: unknown) => ({
  kind: 'info' as const,
  outcome: null,
  http: null,
  code: error instanceof Error ? ((error as { code?: string }).code ?? error.name) : 'error',
  commitToken: null,
  reservation: null,
  replayed: null,
});
