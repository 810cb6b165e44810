import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Links } from '../../../src/sandbox/link/links.ts';
import { CallerRegions } from '../../../src/sandbox/link/caller-regions.ts';
import { openRoute } from '../../../src/sandbox/link/route.ts';

const BASE = { delayMs: 0, bytesPerSecond: null, cut: null };
/** Long enough for loopback to have delivered; used only to show that something does not arrive. */
const SILENCE_MS = 150;

let links: Links;
let target: Server;
let served: Socket[];
let received: string[];
let port: number;
const toClose: (() => void)[] = [];

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}

beforeEach(async () => {
  links = new Links(['new-york', 'madrid'], BASE);
  served = [];
  received = [];
  target = createServer({ allowHalfOpen: true }, (socket) => {
    const index = served.push(socket) - 1;
    received[index] = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
      socket.write(chunk);
    });
    socket.on('end', () => socket.end());
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  port = await freePort();
  const route = await openRoute({
    route: {
      label: 'echo',
      from: 'new-york',
      to: 'madrid',
      listenPort: port,
      targetPort: (target.address() as AddressInfo).port,
    },
    links,
    callers: new CallerRegions({ processesByRegion: () => Promise.resolve(new Map()) }),
  });
  toClose.push(
    () => route.close(),
    () => target.close(),
  );
});

afterEach(() => {
  for (const close of toClose.splice(0)) close();
  for (const socket of served) socket.destroy();
});

interface Client {
  readonly socket: Socket;
  heard: string;
  ending: 'open' | 'end' | 'reset';
}

async function dial(): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1' });
  const client: Client = { socket, heard: '', ending: 'open' };
  socket.on('data', (chunk) => (client.heard += chunk.toString('latin1')));
  socket.on('end', () => (client.ending = 'end'));
  socket.on('error', () => (client.ending = 'reset'));
  toClose.push(() => socket.destroy());
  await once(socket, 'connect');
  return client;
}

const heard = (client: Client, text: string) =>
  vi.waitFor(() => expect(client.heard).toBe(text), { timeout: 3_000, interval: 5 });
const carried = () => links.get('new-york', 'madrid').report().connections;
const cut = (from: string, to: string, mode: 'hold' | 'lose' | null) =>
  links.get(from, to).change({ cut: mode });

test('a delay is added each way, and keeps the order of what is sent', async () => {
  links.get('new-york', 'madrid').change({ delayMs: 30 });
  links.get('madrid', 'new-york').change({ delayMs: 30 });
  const client = await dial();
  client.socket.write('warm ');
  await heard(client, 'warm ');
  const began = performance.now();
  for (const word of ['a', 'b', 'c', 'd']) client.socket.write(word);
  await heard(client, 'warm abcd');
  const tookMs = performance.now() - began;
  expect(tookMs).toBeGreaterThanOrEqual(59);
  expect(tookMs).toBeLessThan(400);
});

test('a large stream arrives whole and in order through a link with a delay', async () => {
  links.get('new-york', 'madrid').change({ delayMs: 3 });
  const client = await dial();
  const text = Array.from({ length: 400_000 }, (_, index) => String(index % 7_919)).join(',');
  client.socket.end(text);
  await vi.waitFor(() => expect(client.ending).toBe('end'), { timeout: 8_000 });
  expect(client.heard === text).toBe(true);
});

test('a cut is silence on an existing connection, and after a short one the stream goes on without a hole', async () => {
  const client = await dial();
  client.socket.write('one ');
  await heard(client, 'one ');
  cut('new-york', 'madrid', 'hold');
  cut('madrid', 'new-york', 'hold');
  client.socket.write('two ');
  await delay(SILENCE_MS);
  expect([received[0], client.heard, client.ending]).toEqual(['one ', 'one ', 'open']);
  links.heal([
    { from: 'new-york', to: 'madrid' },
    { from: 'madrid', to: 'new-york' },
  ]);
  await heard(client, 'one two ');
});

test('a one-way cut delivers requests and withholds their replies', async () => {
  const client = await dial();
  cut('madrid', 'new-york', 'hold');
  client.socket.write('request');
  await vi.waitFor(() => expect(received[0]).toBe('request'));
  await delay(SILENCE_MS);
  expect(client.heard).toBe('');
  cut('madrid', 'new-york', null);
  await heard(client, 'request');
});

test('a one-way cut keeps what the other way carries', async () => {
  const client = await dial();
  client.socket.write('x');
  await heard(client, 'x');
  cut('new-york', 'madrid', 'hold');
  served[0]?.write('pushed');
  await heard(client, 'xpushed');
  expect(received[0]).toBe('x');
});

test('a connection that lost bytes in a cut is reset when the link heals, never continued with a hole', async () => {
  const client = await dial();
  client.socket.write('one ');
  await heard(client, 'one ');
  const untouched = await dial();
  untouched.socket.write('kept ');
  await heard(untouched, 'kept ');
  cut('new-york', 'madrid', 'lose');
  client.socket.write('lost ');
  await delay(SILENCE_MS);
  expect(client.ending).toBe('open');
  cut('new-york', 'madrid', null);
  await vi.waitFor(() => expect(client.ending).toBe('reset'));
  expect(received[0]).toBe('one ');
  untouched.socket.write('on');
  await heard(untouched, 'kept on');
});

test('a connection attempt in a cut meets silence, and reaches its target after the cut', async () => {
  cut('new-york', 'madrid', 'hold');
  const client = await dial();
  client.socket.write('early');
  await delay(SILENCE_MS);
  expect([served.length, client.ending]).toEqual([0, 'open']);
  cut('new-york', 'madrid', null);
  await heard(client, 'early');
});

test('an attempt that was given up during a cut never reaches its target', async () => {
  cut('new-york', 'madrid', 'hold');
  const [closed, broken] = [await dial(), await dial()];
  await vi.waitFor(() => expect(carried()).toBe(2));
  closed.socket.end('never');
  broken.socket.write('never');
  broken.socket.resetAndDestroy();
  await vi.waitFor(() => expect(carried()).toBe(0));
  const later = await dial();
  cut('new-york', 'madrid', null);
  later.socket.write('after');
  await heard(later, 'after');
  expect(received).toEqual(['after']);
});

test('the other side does not learn of a broken connection before the cut ends', async () => {
  const client = await dial();
  client.socket.write('x');
  await heard(client, 'x');
  let targetClosed = false;
  served[0]?.on('close', () => (targetClosed = true));
  cut('new-york', 'madrid', 'hold');
  client.socket.resetAndDestroy();
  await delay(SILENCE_MS);
  expect(targetClosed).toBe(false);
  cut('new-york', 'madrid', null);
  await vi.waitFor(() => expect(targetClosed).toBe(true));
});

test('a refused target is a reset for the client', async () => {
  await new Promise((resolve) => target.close(resolve));
  const client = await dial();
  client.socket.write('x');
  await vi.waitFor(() => expect(client.ending).toBe('reset'));
});

test('a slow link shares its bytes per second among its connections', async () => {
  links.get('new-york', 'madrid').change({ bytesPerSecond: 100_000 });
  const [a, b] = [await dial(), await dial()];
  const began = performance.now();
  const text = 'x'.repeat(20_000);
  a.socket.write(text);
  b.socket.write(text);
  await heard(a, text);
  await heard(b, text);
  const tookMs = performance.now() - began;
  expect(tookMs).toBeGreaterThanOrEqual(390);
  expect(tookMs).toBeLessThan(1_500);
});

test('a sender to a reader that stands still is held back, not buffered without bound', async () => {
  const client = await dial();
  client.socket.write('x');
  await heard(client, 'x');
  cut('new-york', 'madrid', 'hold');
  const chunk = Buffer.alloc(1 << 20);
  let accepted = 0;
  for (let sent = 0; sent < 64; sent += 1) {
    if (!client.socket.write(chunk) && client.socket.writableLength > 8 * chunk.length) break;
    accepted += 1;
    await delay(2);
  }
  expect(accepted).toBeLessThan(40);
});

test('a link that does not exist is named, with those that do', () => {
  expect(() => links.get('new-york', 'paris')).toThrow(
    expect.objectContaining({
      message: 'there is no link from new-york to paris',
      exit: 2,
      next: 'links from new-york go to madrid',
    }),
  );
  expect(() => links.get('paris', 'new-york')).toThrow(
    expect.objectContaining({
      next: 'ends of links: new-york, madrid; members have some in a sandbox made with --member-links',
    }),
  );
});
