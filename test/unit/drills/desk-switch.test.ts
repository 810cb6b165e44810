import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeskProxies } from '../../../src/drills/faults/desk-switch.ts';

let gateway: Server;
let desks: DeskProxies;
/** What the gateway was asked, in order. */
let asked: string[];
const opened: Socket[] = [];

beforeEach(async () => {
  asked = [];
  gateway = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(
      'x'.repeat(Number(new URL(request.url ?? '', 'http://gateway').searchParams.get('size') ?? 1)),
    );
  });
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const { port } = gateway.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  desks = await DeskProxies.open([
    { region: 'madrid', url },
    { region: 'new-york', url },
  ]);
});
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy();
  await desks.close();
  gateway.close();
  gateway.closeAllConnections();
});

/** A connection of our own, so that nothing is retried or pooled. */
async function open(region = 'madrid') {
  const socket = connect(Number(new URL(desks.urlOf(region)).port), '127.0.0.1');
  opened.push(socket);
  const heard = { text: '', ended: undefined as string | undefined };
  socket.setEncoding('latin1').on('data', (text: string) => (heard.text += text));
  socket.on('error', (error: NodeJS.ErrnoException) => (heard.ended = error.code));
  socket.on('close', () => (heard.ended ??= 'closed'));
  await once(socket, 'connect');
  return {
    socket,
    heard,
    ask: (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nhost: gateway\r\n\r\n`),
  };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 });

test('what passes arrives whole both ways, also what is larger than any buffer', async () => {
  const size = 3_000_000;
  const answer = await fetch(`${desks.urlOf('madrid')}/?size=${size}`);
  expect((await answer.text()).length).toBe(size);
  const { heard, ask } = await open();
  ask('/one');
  await until(() => expect(heard.text).toContain('200 OK'));
});

test('with replies dropped a request is delivered and not answered, and the connection is reset when replies pass again', async () => {
  const before = await open();
  before.ask('/before');
  await until(() => expect(before.heard.text).toContain('200 OK'));
  before.heard.text = '';
  desks.set('madrid', 'drop-replies');
  const during = await open();
  before.ask('/kept');
  during.ask('/new');
  await until(() => expect(asked).toEqual(expect.arrayContaining(['/kept', '/new'])));
  const other = await open('new-york');
  other.ask('/other');
  await until(() => expect(other.heard.text).toContain('200 OK'));
  expect([before.heard, during.heard]).toEqual([
    { text: '', ended: undefined },
    { text: '', ended: undefined },
  ]);
  desks.set('madrid', 'pass');
  await until(() => expect([before.heard.ended, during.heard.ended]).toEqual(['ECONNRESET', 'ECONNRESET']));
  const after = await open();
  after.ask('/after');
  await until(() => expect(after.heard.text).toContain('200 OK'));
});

test('half open, a connection is accepted, never read, never answered and never closed, until it is reset', async () => {
  desks.set('madrid', 'half-open');
  const half = await open();
  half.ask('/never');
  const other = await open('new-york');
  other.ask('/other');
  await until(() => expect(other.heard.text).toContain('200 OK'));
  expect(asked).toEqual(['/other']);
  expect(half.heard).toEqual({ text: '', ended: undefined });
  desks.set('madrid', 'pass');
  await until(() => expect(half.heard.ended).toBe('ECONNRESET'));
  expect(asked).toEqual(['/other']);
});

test('a connection that missed nothing goes on after its region was disturbed', async () => {
  const quiet = await open();
  quiet.ask('/first');
  await until(() => expect(quiet.heard.text).toContain('200 OK'));
  desks.set('madrid', 'drop-replies');
  desks.set('madrid', 'pass');
  quiet.heard.text = '';
  quiet.ask('/second');
  await until(() => expect(quiet.heard.text).toContain('200 OK'));
});

test('a region without a gateway is refused', () => {
  expect(() => desks.urlOf('atlantis')).toThrow(/atlantis/);
});

test('closing ends every connection, whatever it waits for', async () => {
  const idle = await open();
  desks.set('new-york', 'half-open');
  const half = await open('new-york');
  half.ask('/never');
  await desks.close();
  await until(() => expect([idle.heard.ended, half.heard.ended]).not.toContain(undefined));
  desks = await DeskProxies.open([]);
});
