import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpRequest } from './http.ts';

const SOCKETS_MAX = 64;
const IDLE_SOCKET_MS = 4_000;

export interface HttpAnswer {
  readonly http: number;
  readonly headers: IncomingHttpHeaders;
  /** The parsed document; undefined when the body is none. */
  readonly body: unknown;
}

/** A small HTTP client on kept-alive connections: the global fetch costs more than the gateway that it would load. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, timeout: IDLE_SOCKET_MS });

  /** Rejects with the transport's error, or with code ETIMEDOUT when the answer isn't whole within the deadline. */
  async call(
    what: HttpRequest & { readonly url: string; readonly key: string },
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const text = what.body === undefined ? undefined : JSON.stringify(what.body);
    const call = request(`${what.url}${what.path}`, {
      method: what.method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${what.key}`,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    });
    // While the body is read, an error of the request comes as one of the body.
    call.on('error', () => undefined);
    const timer = setTimeout(() => call.destroy(timedOut(timeoutMs)), timeoutMs);
    try {
      const answered = once(call, 'response') as Promise<[IncomingMessage]>;
      call.end(text);
      const [response] = await answered;
      return { http: response.statusCode ?? 0, headers: response.headers, body: await readBody(response) };
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<unknown> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const timedOut = (timeoutMs: number): Error =>
  Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
