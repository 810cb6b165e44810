import type { IncomingMessage } from 'node:http';
import type { EtcdTls } from './options.ts';

export interface HttpCallOptions {
  readonly url: string;
  readonly path: string;
  readonly body: unknown;
  readonly token?: string | undefined;
  readonly tls?: EtcdTls | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** One POST to etcd's JSON gateway. Rejects with what etcd says for any status but 200. */
export function postJson(options: HttpCallOptions): Promise<unknown> {
  const { url, path, body, token, tls, timeoutMs, signal } = options;
  const payload = JSON.stringify(body);
  const target = new URL(path, url);
  return new Promise((resolve, reject) => {
    const onAnswer = (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', reject);
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES_MAX) request.destroy(new Error('etcd answered more than 64 MiB'));
      });
      response.on('end', () => {
        try {
          const answer: unknown = JSON.parse(text);
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(errorIn(answer) ?? `HTTP status ${response.statusCode}`));
        } catch {
          reject(new Error(`HTTP status ${response.statusCode}: ${text.slice(0, 200)}`));
        }
      });
    };
    const request = transportFor(target).request(
      target,
      {
        method: 'POST',
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...(token === undefined ? {} : { authorization: token }),
        },
        ...(tls === undefined ? {} : { ca: tls.ca, cert: tls.cert, key: tls.key }),
      },
      onAnswer,
    );
    request.on('error', reject);
    request.end(payload);
  });
}

/**
 * An import of node:http reads each of its exports, and one of them loads undici: 0.04 s, more than all the rest of a
 * quick command. Asked for this way, only what is used is loaded.
 */
const transportFor = ({ protocol }: URL) =>
  protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');

function errorIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const text = 'error' in answer ? answer.error : 'message' in answer ? answer.message : undefined;
  return typeof text === 'string' ? text : undefined;
}
