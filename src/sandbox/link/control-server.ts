import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { CapstanError, messageOf } from '../../domain/errors.ts';
import type { Links } from './links.ts';

const BODY_BYTES_MAX = 65_536;

const pair = z.strictObject({ from: z.string(), to: z.string() });
/** `POST /links` with a bearer token; `GET /links` only reports. */
const request = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('change'),
    changes: z.array(
      pair.extend({
        settings: z.strictObject({
          delayMs: z.number().min(0).max(60_000).optional(),
          bytesPerSecond: z.number().min(1).nullable().optional(),
          cut: z.enum(['hold', 'lose']).nullable().optional(),
        }),
      }),
    ),
  }),
  z.strictObject({ action: z.literal('heal'), pairs: z.array(pair) }),
  // Members were added to the sandbox since.
  z.strictObject({ action: z.literal('open-routes') }),
]);

export interface LinkControlOptions {
  readonly links: Links;
  /** Opens the routes that the sandbox's state names and that aren't open yet. */
  readonly openRoutes: () => Promise<void>;
  readonly token: string;
  readonly port: number;
}

/** Serves the link control port on loopback; resolves once it accepts. */
export async function openLinkControl(options: LinkControlOptions): Promise<{ close: () => void }> {
  const { port } = options;
  const server = createServer((incoming, response) => {
    answer(incoming, options).then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        if (error instanceof CapstanError) {
          const { code, message, next } = error;
          send(response, 400, { code, message, next });
        } else send(response, error === UNAUTHORIZED ? 401 : 400, { message: messageOf(error) });
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const UNAUTHORIZED = new Error('the link control needs its token');

async function answer(
  incoming: IncomingMessage,
  { links, token, openRoutes }: LinkControlOptions,
): Promise<unknown> {
  if (!sameText(incoming.headers.authorization ?? '', `Bearer ${token}`)) throw UNAUTHORIZED;
  if (incoming.method === 'POST') {
    const order = request.parse(JSON.parse(await readBody(incoming)));
    if (order.action === 'heal') links.heal(order.pairs);
    else if (order.action === 'open-routes') await openRoutes();
    else links.change(order.changes as Parameters<Links['change']>[0]);
  }
  return { links: links.report() };
}

function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
}
