import { connect } from 'node:net';
import { splitEndpoint } from '../postgres/connect-as.ts';

const TIMEOUT_MS = 250;

/** Whether the host of `host:port` answers that nothing listens there. Silence, or a listener, is false. Never throws. */
export function isRefused(address: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(splitEndpoint(address));
  socket.setTimeout(TIMEOUT_MS, () => resolve(false));
  socket.once('connect', () => resolve(false));
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  return promise.finally(() => socket.destroy());
}
