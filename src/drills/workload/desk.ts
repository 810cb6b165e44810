import { formatAmount } from '../../domain/money.ts';
import { classifyFailure, classifyReply } from '../history/classify.ts';
import type { CompletionLine, HistoryRecorder, Request } from '../history/types.ts';
import { type HttpAnswer, HttpClient } from './http-client.ts';
import { httpOf } from './http.ts';
import type { Ask } from './types.ts';

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

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Never rejects: no answer is an answer that says nothing. */
  async send(sending: Sending): Promise<Answer> {
    const { recorder } = this.#options;
    const request = requestOf(sending);
    recorder.record({ kind: 'invoke', ...request });
    const answer: Answer = { ...request, ...(await this.#outcome(sending)) };
    recorder.record(answer);
    return answer;
  }

  close(): void {
    this.#client.close();
  }

  async #outcome(sending: Sending) {
    const { action } = sending.ask;
    try {
      const answer = action === 'read-open' ? await this.#allOpen(sending) : await this.#call(sending);
      return classifyReply({ action, ...answer });
    } catch (error) {
      return classifyFailure(error);
    }
  }

  /** A whole list, page by page. What changed between two pages is no state of the issuer: the list then counts as cut off. */
  async #allOpen(sending: Sending): Promise<HttpAnswer> {
    const first = await this.#call(sending);
    let page = openPage(first);
    if (page === undefined) return first;
    const { position } = page;
    const reservations = [...page.reservations];
    while (page.next !== null) {
      const answer = await this.#call(sending, page.next);
      const more = openPage(answer);
      if (more === undefined) return answer;
      if (more.position !== position) return first;
      reservations.push(...more.reservations);
      page = more;
    }
    return { ...first, body: { ...(first.body as object), reservations, next_after: null } };
  }

  #call({ ask, desk, via }: Sending, after?: string): Promise<HttpAnswer> {
    const { keys, urlOf, deadlineMs } = this.#options;
    const key = keys[desk === null ? 'operator' : `desk-${desk}`] ?? '';
    return this.#client.call({ ...httpOf(ask, after), url: urlOf(via), key }, deadlineMs);
  }
}

interface OpenPage {
  readonly position: unknown;
  readonly reservations: readonly unknown[];
  readonly next: string | null;
}

function openPage({ http, body }: HttpAnswer): OpenPage | undefined {
  if (http !== 200 || typeof body !== 'object' || body === null) return undefined;
  const { position, reservations, next_after: next } = body as Record<string, unknown>;
  if (!Array.isArray(reservations)) return undefined;
  return { position, reservations, next: typeof next === 'string' ? next : null };
}

function requestOf({ process, ask, desk, via }: Sending): Request {
  return {
    process,
    action: ask.action,
    issuer: ask.issuer,
    token: ask.token,
    notional: ask.action === 'reserve' ? formatAmount(ask.notional) : null,
    limit: ask.action === 'set-limit' || ask.action === 'correct' ? formatAmount(ask.limit) : null,
    reservation: ask.action === 'reserve' || ask.action === 'release' ? ask.reservation : null,
    desk: desk === null ? 'operator' : `desk-${desk}`,
    at_least: null,
    via: `gateway-${via}`,
  };
}
