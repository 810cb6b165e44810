import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { unreachableError } from '../domain/errors.ts';
import type { SandboxPaths } from './folders.ts';
import { readIssuersFile, type SeedIssuer } from './issuers.ts';
import { readGatewayKey } from './secrets.ts';
import { PortName, portOf, type SandboxState, writeJson } from './state.ts';
import { GATEWAY_NODES } from './topology.ts';

const CONCURRENCY = 32;
const REQUEST_TIMEOUT_MS = 5_000;
const RETRY_EVERY_MS = 100;

export interface SeedResult {
  readonly issuers: number;
  /** Issuers whose seed token had decided another limit before: their limit stays as it is. */
  readonly kept: readonly string[];
  readonly changed: boolean;
}

/**
 * Sets the first limit of every issuer through the gateways. Each has a token of its own (`seed-<issuer>`), so that
 * seeding again never resets a limit that was changed since. Throws CapstanError `sandbox_seed_failed` (exit 7).
 */
export async function seedIssuers(options: {
  readonly paths: SandboxPaths;
  readonly state: SandboxState;
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}): Promise<SeedResult> {
  const { paths, state, deadline, signal, onProgress } = options;
  const issuers = await readIssuersFile(paths.issuers);
  if (existsSync(paths.seeded)) return { issuers: issuers.length, kept: [], changed: false };
  const key = await readGatewayKey(paths, 'operator');
  const urls = GATEWAY_NODES.map(({ name }) => `http://127.0.0.1:${portOf(state, PortName.gateway(name))}`);
  const queue = [...issuers.entries()];
  const kept: string[] = [];
  let done = 0;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, issuer] = next;
      const url = urls[index % urls.length] ?? '';
      if ((await setLimit({ url, key, issuer, deadline, signal })) === 'kept') kept.push(issuer.issuerId);
      done += 1;
      onProgress?.(done, issuers.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  await writeJson(paths.seeded, { issuers: issuers.length, at: new Date().toISOString() });
  return { issuers: issuers.length, kept, changed: true };
}

interface SetLimit {
  readonly url: string;
  readonly key: string;
  readonly issuer: SeedIssuer;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** The same token makes every retry safe, whatever became of the try before. */
async function setLimit({ url, key, issuer, deadline, signal }: SetLimit): Promise<'set' | 'kept'> {
  for (;;) {
    signal?.throwIfAborted();
    const answer = await put({ url, key, issuer });
    if (answer.status === 200 || answer.status === 201) return 'set';
    if (answer.status === 422) return 'kept';
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
      throw failed(issuer, answer.text);
    }
    if (performance.now() > deadline) throw failed(issuer, answer.text);
    await delay(RETRY_EVERY_MS, undefined, signal === undefined ? {} : { signal });
  }
}

async function put({ url, key, issuer }: Pick<SetLimit, 'url' | 'key' | 'issuer'>) {
  try {
    const response = await fetch(`${url}/issuers/${encodeURIComponent(issuer.issuerId)}/limit`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ limit: issuer.limit, reservation_token: `seed-${issuer.issuerId}` }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    return { status: response.status, text: (await response.text()).slice(0, 500) };
  } catch (error) {
    return { status: 0, text: error instanceof Error ? error.message : String(error) };
  }
}

const failed = (issuer: SeedIssuer, answer: string): Error =>
  unreachableError(`the limit of ${issuer.issuerId} can't be set: ${answer}`, {
    code: 'sandbox_seed_failed',
    next: 'capstan sandbox up goes on where this stopped',
  });
