import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import type { Writer } from '../failover/estate.ts';

/** Of a shard that c1 owns, with room for any number of tries. */
const ISSUER = 'MUNI-77';
const CONFIRMED = 201;

/** Each try is a reservation of its own: a replay of an earlier one would say nothing about the new leader. */
export function openReserver({ gateways, keys }: SandboxEnvironment): {
  write: Writer;
  closeWriter: () => Promise<void>;
} {
  const origin = gateways.find(({ region }) => region === 'new-york')?.url;
  const key = keys['desk-new-york'];
  if (origin === undefined || key === undefined) throw new Error('the sandbox lacks a gateway or a desk');
  const pool = new Pool(origin, { connections: 4 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const write: Writer = async (deadlineMs) => {
    const body = JSON.stringify({ issuer_id: ISSUER, notional: '1.00', reservation_token: randomUUID() });
    try {
      const response = await pool.request({
        method: 'POST',
        path: '/reservations',
        headers,
        body,
        signal: AbortSignal.timeout(deadlineMs),
      });
      await response.body.dump();
      return response.statusCode === CONFIRMED;
    } catch {
      return false;
    }
  };
  return { write, closeWriter: () => pool.destroy() };
}
