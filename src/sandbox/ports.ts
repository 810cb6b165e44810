import { createServer } from 'node:net';
import { unreachableError } from '../domain/errors.ts';

/** Below the range from which systems take the ports of outgoing connections, so that a stopped process's port stays free. */
const PORT_MIN = 20_000;
const PORT_MAX = 31_900;
const TRIES = 50;

/** A run of `count` ports on loopback that nothing listens on and that no other sandbox has recorded. */
export async function findFreePorts(count: number, taken: ReadonlySet<number>): Promise<number[]> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const first = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (ports.some((port) => taken.has(port))) continue;
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return ports;
  }
  throw unreachableError(`no ${count} free ports in a row between ${PORT_MIN} and ${PORT_MAX}`, {
    code: 'ports_exhausted',
    next: 'capstan sandbox down --all',
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
