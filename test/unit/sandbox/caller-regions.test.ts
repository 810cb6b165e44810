import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { CallerRegions } from '../../../src/sandbox/link/caller-regions.ts';
import { lookAtSockets } from '../../../src/sandbox/link/socket-owner.ts';

const here = () => Promise.resolve(new Map([[process.pid, 'madrid']]));
const connection = (clientPort: number) => ({ clientPort, serverPort: 1 });

test('the process at the other end of a real connection is told, and nobody is told for a connection that is none', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: serverPort } = server.address() as AddressInfo;
  const client: Socket = connect(serverPort, '127.0.0.1');
  await once(client, 'connect');
  const ownerOf = await lookAtSockets([process.pid]);
  const clientPort = client.localPort ?? 0;
  expect(ownerOf({ clientPort, serverPort })).toBe(process.pid);
  expect(ownerOf({ clientPort, serverPort: serverPort + 1 })).toBeUndefined();
  expect((await lookAtSockets([]))({ clientPort, serverPort })).toBeUndefined();
  client.destroy();
  server.close();
});

test('however many callers come, one look goes on at a time, and all that came before it share it', async () => {
  let looks = 0;
  let underway = 0;
  let most = 0;
  const callers = new CallerRegions({
    processesByRegion: here,
    look: async () => {
      looks += 1;
      underway += 1;
      most = Math.max(most, underway);
      await turn();
      underway -= 1;
      return () => process.pid;
    },
  });
  const asked = Array.from({ length: 500 }, (_, index) => callers.regionOf(connection(index), () => false));
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['madrid']));
  expect([most, looks]).toEqual([1, 1]);
  expect(await callers.regionOf(connection(501), () => false)).toBe('madrid');
  expect(looks).toBe(2);
});

test('a caller that comes during a look waits for the next one, which can see it', async () => {
  const seen = new Set<number>();
  const { promise: going, resolve: go } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const callers = new CallerRegions({
    processesByRegion: here,
    look: async () => {
      const held = new Set(seen);
      begin();
      await going;
      return ({ clientPort }) => (held.has(clientPort) ? process.pid : undefined);
    },
  });
  seen.add(1);
  const first = callers.regionOf(connection(1), () => false);
  await begun;
  seen.add(2);
  const second = callers.regionOf(connection(2), () => false);
  go();
  expect(await Promise.all([first, second])).toEqual(['madrid', 'madrid']);
});

test('nothing is looked for on behalf of a caller that has gone, and a look that fails is made again', async () => {
  let looks = 0;
  const callers = new CallerRegions({
    processesByRegion: here,
    look: () => {
      looks += 1;
      return looks === 1 ? Promise.reject(new Error('busy')) : Promise.resolve(() => process.pid);
    },
  });
  expect(await callers.regionOf(connection(1), () => true)).toBeUndefined();
  expect(looks).toBe(0);
  expect(await callers.regionOf(connection(1), () => false)).toBe('madrid');
  expect(looks).toBe(2);
});
