/** Callers that decide straight at whoever leads, without a gateway: what was confirmed to them, and when. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { closeConnection } from '../../src/postgres/connection.ts';
import { CLUSTER, type TestEstate } from './agents.ts';

const AFTER_REFUSAL_MS = 10;
const SHARDS = 8;

export interface DirectLoad {
  /** Tokens whose confirmation came back. */
  readonly confirmed: readonly string[];
  /** The longest time in which nothing was confirmed to anybody. */
  readonly longestGapMs: () => number;
  readonly stop: () => Promise<void>;
}

let loads = 0;

export function startDirectLoad(world: TestEstate, callers = 4): DirectLoad {
  loads += 1;
  const name = `load${loads}`;
  const confirmed: string[] = [];
  const stopping = new AbortController();
  let lastMs = performance.now();
  let longestMs = 0;
  const note = (token: string) => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    confirmed.push(token);
  };
  const running = Promise.all(
    Array.from({ length: callers }, (_, number) =>
      call({ world, name: `${name}-${number}`, shard: number % SHARDS, note, signal: stopping.signal }),
    ),
  );
  return {
    confirmed,
    longestGapMs: () => Math.max(longestMs, performance.now() - lastMs),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

interface Caller {
  readonly world: TestEstate;
  readonly name: string;
  readonly shard: number;
  readonly note: (token: string) => void;
  readonly signal: AbortSignal;
}

async function call({ world, name, shard, note, signal }: Caller): Promise<void> {
  let at: { readonly term: number; readonly client: Client } | undefined;
  for (let n = 0; !signal.aborted; n += 1) {
    const token = `${name}-${n}`;
    const command = {
      kind: 'set-limit',
      issuer: `ISSUER-${shard}`,
      token,
      desk: 'ops',
      hash: 'ab'.repeat(32),
      limit: '100',
    };
    try {
      at ??= await leaderOf(world);
      await at.client.query(
        `select capstan.decide('${CLUSTER}', 1, ${shard}, 1, ${at.term}, '${JSON.stringify([command])}'::jsonb)`,
      );
      note(token);
    } catch {
      if (at !== undefined) await closeConnection(at.client, { timeoutMs: 100 });
      at = undefined;
      await delay(AFTER_REFUSAL_MS);
    }
  }
  if (at !== undefined) await closeConnection(at.client, { timeoutMs: 100 });
}

async function leaderOf(world: TestEstate): Promise<{ term: number; client: Client }> {
  const { authority } = await world.view();
  const { phase, leader, term } = authority?.value ?? {};
  if (phase !== 'open' || leader === undefined || leader === null || term === undefined)
    throw new Error('nobody leads');
  const client = await world.connect(leader, 'gateway');
  client.on('error', () => undefined);
  return { term, client };
}

/** Which of these tokens a member's Postgres has no outcome for. */
export async function missingAt(
  world: TestEstate,
  member: string,
  tokens: readonly string[],
): Promise<readonly string[]> {
  const client = await world.connect(member);
  const { rows } = await client.query<{ token: string }>(
    'select t.token from unnest($1::text[]) as t(token) where not exists (select 1 from capstan.reservation_token o where o.reservation_token = t.token)',
    [[...tokens]],
  );
  return rows.map(({ token }) => token);
}
