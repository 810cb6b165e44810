import { formatAmount } from '../../domain/money.ts';
import { classifyFailure, classifyReply } from '../history/classify.ts';
import type { CompletionLine, HistoryRecorder, Request } from '../history/types.ts';
import { type HttpAnswer, HttpClient } from './http-client.ts';
import { get, httpOf, type HttpRequest } from './http.ts';
import { NewestTokens } from './newest-tokens.ts';
import type { Ask, SentBound } from './types.ts';

export interface Sending {
  readonly process: string;
  readonly ask: Ask;
  /** The region whose desk asks; null: the operator. */
  readonly desk: string | null;
  /** The region whose gateway is asked. */
  readonly via: string;
}

export interface DeskOptions {
  readonly recorder: HistoryRecorder;
  /** Where the gateway of a region is reached. */
  readonly urlOf: (region: string) => string;
  /** Holder -> bearer key. */
  readonly keys: Readonly<Record<string, string>>;
  /** Should exceed the gateway's own deadline, so that its answer is waited for. */
  readonly deadlineMs: number;
}

export type Answer = Omit<CompletionLine, 'i' | 't'>;

/** Sends requests as desks and operators do, over HTTP, and records each with what came of it. */
export class Desk {
  readonly #options: DeskOptions;
  readonly #client = new HttpClient();
  readonly #newest = new NewestTokens();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Never rejects: no answer is an answer that says nothing. */
  async send(sending: Sending): Promise<Answer> {
    const { recorder } = this.#options;
    const bound = this.#newest.boundOf(sending.ask);
    const request = requestOf(sending, bound);
    recorder.record({ kind: 'invoke', ...request });
    const answer: Answer = { ...request, ...(await this.#outcome(sending, bound)) };
    recorder.record(answer);
    this.#newest.learn(answer);
    return answer;
  }

  close(): void {
    this.#client.close();
  }

  async #outcome(sending: Sending, bound: SentBound) {
    const { action } = sending.ask;
    try {
      const what = httpOf(sending.ask, bound);
      const answer =
        action === 'read-open' ? await this.#allOpen(sending, what) : await this.#call(sending, what);
      return classifyReply({ action, ...answer });
    } catch (error) {
      return classifyFailure(error);
    }
  }

  /** A whole list, page by page, whoever shows each: all of them show one state, or the list counts as cut off. */
  async #allOpen(sending: Sending, what: HttpRequest): Promise<HttpAnswer> {
    const first = await this.#call(sending, what);
    let page = openPage(first);
    if (page === undefined) return first;
    const { position } = page;
    const reservations = [...page.reservations];
    while (page.next !== null) {
      const answer = await this.#call(sending, get(page.next));
      const more = openPage(answer);
      // A page may have expired, or a bound be unmet by now: the first one stands, as a part of the list.
      if (more === undefined) return first;
      if (more.position !== position) return first;
      reservations.push(...more.reservations);
      page = more;
    }
    return { ...first, body: { ...(first.body as object), reservations, next_after: null } };
  }

  #call({ desk, via }: Sending, what: HttpRequest): Promise<HttpAnswer> {
    const { keys, urlOf, deadlineMs } = this.#options;
    const key = keys[desk === null ? 'operator' : `desk-${desk}`] ?? '';
    return this.#client.call({ ...what, url: urlOf(via), key }, deadlineMs);
  }
}

interface OpenPage {
  readonly position: unknown;
  readonly reservations: readonly unknown[];
  readonly next: string | null;
}

function openPage({ http, body }: HttpAnswer): OpenPage | undefined {
  if (http !== 200 || typeof body !== 'object' || body === null) return undefined;
  const { position, reservations, next } = body as Record<string, unknown>;
  if (!Array.isArray(reservations)) return undefined;
  return { position, reservations, next: typeof next === 'string' ? next : null };
}

function requestOf({ process, ask, desk, via }: Sending, bound: SentBound): Request {
  return {
    process,
    action: ask.action,
    issuer: ask.issuer,
    token: ask.token,
    notional: ask.action === 'reserve' ? formatAmount(ask.notional) : null,
    limit: ask.action === 'set-limit' || ask.action === 'correct' ? formatAmount(ask.limit) : null,
    reservation: ask.action === 'reserve' || ask.action === 'release' ? ask.reservation : null,
    desk: desk === null ? 'operator' : `desk-${desk}`,
    at_least: bound.atLeast,
    ...(bound.maxStalenessMs === null ? {} : { max_staleness_ms: bound.maxStalenessMs }),
    via: `gateway-${via}`,
  };
}
