import { Agent, request } from 'undici';
import { type Attempt, classify, type History, unanswered } from './history.ts';
import type { TestSandbox } from './sandbox.ts';

const ANSWER_TIMEOUT_MS = 8_000;

export interface DeskAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One desk at one gateway, over real HTTP; each command and its answer goes into the history. */
export class DeskClient {
  readonly via: string;
  readonly #url: string;
  readonly #key: string;
  readonly #operatorKey: string;
  readonly #agent: Agent;
  readonly #history: History;

  constructor(options: {
    readonly via: string;
    readonly url: string;
    readonly key: string;
    readonly operatorKey: string;
    readonly agent: Agent;
    readonly history: History;
  }) {
    this.via = options.via;
    this.#url = options.url;
    this.#key = options.key;
    this.#operatorKey = options.operatorKey;
    this.#agent = options.agent;
    this.#history = options.history;
  }

  reserve(order: {
    readonly issuer: string;
    readonly notional: string;
    readonly token: string;
    readonly reservation?: string;
    readonly process?: string;
  }): Promise<Attempt> {
    const { issuer, notional, token, reservation, process = this.via } = order;
    const body = {
      issuer_id: issuer,
      notional,
      reservation_token: token,
      ...(reservation === undefined ? {} : { reservation_id: reservation }),
    };
    return this.#command({ process, action: 'reserve', issuer, token }, '/reservations', body, this.#key);
  }

  release(order: {
    readonly issuer: string;
    readonly reservation: string;
    readonly token: string;
    readonly process?: string;
  }): Promise<Attempt> {
    const { issuer, reservation, token, process = this.via } = order;
    const body = { issuer_id: issuer, reservation_token: token };
    const path = `/reservations/${encodeURIComponent(reservation)}/release`;
    return this.#command({ process, action: 'release', issuer, token }, path, body, this.#key);
  }

  settle(order: { readonly issuer: string; readonly token: string }): Promise<Attempt> {
    const { issuer, token } = order;
    const path = `/reservation-tokens/${encodeURIComponent(token)}/settle`;
    return this.#command(
      { process: 'operator', action: 'settle', issuer, token },
      path,
      { issuer_id: issuer },
      this.#operatorKey,
    );
  }

  /** What the gateway says became of a token. */
  async resolve({ issuer, token }: { readonly issuer: string; readonly token: string }): Promise<DeskAnswer> {
    const invokedAt = performance.now();
    const path = `/reservation-tokens/${encodeURIComponent(token)}?issuer_id=${encodeURIComponent(issuer)}`;
    const answer = await this.get(path);
    this.#history.record({
      process: this.via,
      via: this.via,
      action: 'resolve',
      issuer,
      token,
      invokedAt,
      answeredAt: performance.now(),
      ...classify(answer.status, answer.body),
    });
    return answer;
  }

  async get(path: string): Promise<DeskAnswer> {
    return this.#send('GET', path, undefined, this.#key);
  }

  async setLimit(order: {
    readonly issuer: string;
    readonly limit: string;
    readonly token: string;
  }): Promise<DeskAnswer> {
    const body = { limit: order.limit, reservation_token: order.token };
    return this.#send('PUT', `/issuers/${encodeURIComponent(order.issuer)}/limit`, body, this.#operatorKey);
  }

  async #command(
    what: Pick<Attempt, 'process' | 'action' | 'issuer' | 'token'>,
    path: string,
    body: unknown,
    key: string,
  ): Promise<Attempt> {
    const invokedAt = performance.now();
    let seen;
    try {
      const answer = await this.#send('POST', path, body, key);
      seen = classify(answer.status, answer.body);
    } catch (error) {
      seen = unanswered(error);
    }
    return this.#history.record({
      ...what,
      via: this.via,
      invokedAt,
      answeredAt: performance.now(),
      ...seen,
    });
  }

  async #send(method: 'GET' | 'POST' | 'PUT', path: string, body: unknown, key: string): Promise<DeskAnswer> {
    const response = await request(`${this.#url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { status: response.statusCode, body: (await response.body.json()) as DeskAnswer['body'] };
  }
}

export interface Desks {
  readonly history: History;
  /** One for each gateway, with its region's own key. */
  readonly all: readonly DeskClient[];
  /** The desk of `keyOf` (default: its own) talking to the gateway of `region`, or to another address in its place. */
  at(region: string, options?: { readonly keyOf?: string; readonly url?: string }): DeskClient;
  close(): Promise<void>;
}

/** Desks at every gateway of a sandbox, all writing into one history. */
export function openDesks({ environment }: TestSandbox, history: History): Desks {
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const keyOf = (holder: string): string => {
    const key = environment.keys[holder];
    if (key === undefined) throw new Error(`the sandbox has no key of ${holder}`);
    return key;
  };
  const at: Desks['at'] = (region, options = {}) => {
    const gateway = environment.gateways.find((one) => one.region === region);
    if (gateway === undefined) throw new Error(`there is no gateway in ${region}`);
    return new DeskClient({
      via: region,
      url: options.url ?? gateway.url,
      key: keyOf(`desk-${options.keyOf ?? region}`),
      operatorKey: keyOf('operator'),
      agent,
      history,
    });
  };
  return {
    history,
    all: environment.gateways.map(({ region }) => at(region)),
    at,
    close: () => agent.destroy(),
  };
}
