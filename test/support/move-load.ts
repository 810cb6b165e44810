/** Callers who decide at whoever the map names, as gateways would: the same token again until it is decided. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { defaultReservationId } from '../../src/reservations/hash.ts';
import { decide } from '../../src/reservations/client.ts';
import type { Command } from '../../src/reservations/types.ts';
import { release, reserve, setLimit } from './reservation-commands.ts';
import type { TwoClusters } from './two-clusters.ts';

const AGAIN_MS = 10;
const PACE_MS = 4;

export interface MoveLoad {
  /** Tokens whose confirmation came back, with their shards. */
  readonly confirmed: readonly {
    readonly shard: number;
    readonly token: string;
    readonly position: string;
  }[];
  /** Anything that a client would have seen as an error. */
  readonly odd: readonly string[];
  stop(): Promise<void>;
}

let loads = 0;

/** One caller a shard: limits, reservations and releases, so that rows are inserted and updated. */
export function startMoveLoad(world: TwoClusters, shards: readonly number[]): MoveLoad {
  loads += 1;
  const name = `load${loads}`;
  const confirmed: { shard: number; token: string; position: string }[] = [];
  const odd: string[] = [];
  const stopping = new AbortController();
  const running = Promise.all(
    shards.map((shard) => call({ world, name, shard, confirmed, odd, signal: stopping.signal })),
  );
  return {
    confirmed,
    odd,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

interface Caller {
  readonly world: TwoClusters;
  readonly name: string;
  readonly shard: number;
  readonly confirmed: { shard: number; token: string; position: string }[];
  readonly odd: string[];
  readonly signal: AbortSignal;
}

export const issuerOf = (shard: number) => `ISSUER-${shard}`;

function commandOf(caller: Caller, n: number): Command {
  const issuer = issuerOf(caller.shard);
  const token = `${caller.name}-${caller.shard}-${n}`;
  if (n % 3 === 0) return setLimit(token, 10n ** 9n, { issuer });
  if (n % 3 === 1) return reserve(token, 5n, { issuer });
  const before = `${caller.name}-${caller.shard}-${n - 1}`;
  return release(token, defaultReservationId(issuer, before), { issuer });
}

async function call(caller: Caller): Promise<void> {
  const { world, signal } = caller;
  const clients = new Map<string, Client>();
  for (let n = 0; !signal.aborted; n += 1) {
    const command = commandOf(caller, n);
    while (!signal.aborted && !(await decided(caller, clients, command))) await delay(AGAIN_MS);
    await delay(PACE_MS);
  }
  for (const client of clients.values()) await world.disconnect(client);
  clients.clear();
}

async function decided(caller: Caller, clients: Map<string, Client>, command: Command): Promise<boolean> {
  const { world, shard, confirmed, odd } = caller;
  const { shards, clusters } = world.view();
  const entry = shards.get(shard)?.value;
  const view = clusters.get(entry?.cluster ?? '');
  const { leader, term, phase } = view?.authority?.value ?? {};
  if (
    entry === undefined ||
    leader === undefined ||
    leader === null ||
    term === undefined ||
    phase !== 'open'
  )
    return false;
  let client = clients.get(leader);
  if (client === undefined) {
    client = await world.connect(leader, 'gateway').catch(() => undefined);
    if (client === undefined) return false;
    clients.set(leader, client);
  }
  const { cluster, generation } = entry;
  const epoch = view?.membership?.value.epoch ?? 1;
  const result = await decide(client, { cluster, epoch, shard, generation, term }, [command], {
    deadlineMs: 3_000,
  });
  if (result.kind !== 'decided') {
    if (!result.connectionUsable) {
      clients.delete(leader);
      await world.disconnect(client);
    }
    return false;
  }
  const [outcome] = result.outcomes;
  if (outcome === undefined || 'refused' in outcome) odd.push(JSON.stringify({ command, outcome }));
  else confirmed.push({ shard, token: command.token, position: outcome.position });
  return true;
}
