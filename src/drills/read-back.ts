import { setTimeout as delay } from 'node:timers/promises';
import { loadEstateConfig } from '../config/estate-config.ts';
import { readEstateSnapshot } from '../controlplane/estate-snapshot.ts';
import { Keys } from '../controlplane/keys.ts';
import { messageOf, unknownError } from '../domain/errors.ts';
import { shardOf } from '../domain/shard.ts';
import { etcdReaderFromConfig } from '../etcd/from-config.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';
import { readLostLines } from './lost-lines.ts';
import { type ClusterShards, readBases, readShardLines } from './log-reader.ts';
import type { HistoryRecorder } from './history/types.ts';
import type { Desk } from './workload/desk.ts';
import type { Ask } from './workload/types.ts';

const AGAIN_AFTER_MS = 200;
const AT_ONCE = 8;
const AUTHORITIES_TIMEOUT_MS = 20_000;

export interface ReadBackOptions {
  readonly environment: SandboxEnvironment;
  readonly recorder: HistoryRecorder;
  readonly issuers: readonly string[];
  readonly signal: AbortSignal;
}

/** Where the shards of the issuers stand now, recorded as `base` lines: what is there is others'. */
export async function recordBases(options: ReadBackOptions): Promise<ReadonlyMap<number, string>> {
  const bases = await insist(options, async () => {
    const found: [number, string][] = [];
    for (const owner of await shardOwners(options)) {
      found.push(...(await readBases(options.environment, owner)));
    }
    return new Map(found);
  });
  for (const [shard, position] of bases) options.recorder.record({ kind: 'base', shard, position });
  return bases;
}

/** What failovers have lost since then, as `loss` and `lost` lines; answers the tokens, which are then to be asked for. */
export async function recordLosses(
  options: ReadBackOptions,
  since: string,
): Promise<readonly { readonly issuer: string; readonly token: string }[]> {
  const lines = await insist(options, () => readLostLines({ ...options, since }));
  for (const line of lines) options.recorder.record(line);
  return lines.filter((line) => line.kind === 'lost');
}

/** What the authorities hold at the end, as `head`, `lineage` and `log` lines: one snapshot a cluster. */
export async function recordLogs(
  options: ReadBackOptions,
  bases: ReadonlyMap<number, string>,
): Promise<void> {
  const lines = await insist(options, async () => {
    const owners = await shardOwners(options);
    return (
      await Promise.all(owners.map((owner) => readShardLines(options.environment, owner, bases)))
    ).flat();
  });
  for (const line of lines) options.recorder.record(line);
}

/**
 * What desks see at the end, through the gateways by turns: the outcome of each token that is open, then each issuer and all
 * of its open reservations. Each is asked for until it is answered. Throws `drill_unfinished` (exit 5) at the deadline.
 */
export async function readThroughGateways(options: {
  readonly desk: Desk;
  readonly regions: readonly string[];
  readonly issuers: readonly string[];
  readonly openTokens: readonly { readonly issuer: string; readonly token: string }[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { desk, regions, issuers, openTokens } = options;
  const deadline = performance.now() + options.timeoutMs;
  const asks: Ask[] = [
    ...openTokens.map((open): Ask => ({ action: 'resolve', ...open })),
    ...issuers.map((issuer): Ask => ({ action: 'read-issuer', issuer, token: null, bound: 'none' })),
    ...issuers.map((issuer): Ask => ({ action: 'read-open', issuer, token: null, bound: 'none' })),
  ];
  const queue = [...asks.entries()];
  const read = async (process: string): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, ask] = next;
      for (let attempt = index; ; attempt += 1) {
        options.signal.throwIfAborted();
        const via = regions[attempt % regions.length] ?? '';
        const { kind, code } = await desk.send({ process, ask, desk: via, via });
        if (kind === 'ok') break;
        if (performance.now() > deadline) throw unanswered(ask, code);
        await delay(AGAIN_AFTER_MS, undefined, { signal: options.signal });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => read(`reader/${index + 1}`)));
}

const unanswered = (ask: Ask, code: string | null): Error =>
  unknownError(`${ask.action} ${ask.token ?? ask.issuer} is not answered at the end: ${code ?? 'no code'}`, {
    code: 'drill_unfinished',
    next: 'capstan status',
  });

/** Which leader to ask for which shards, as etcd has it now. */
async function shardOwners({ environment, issuers }: ReadBackOptions): Promise<ClusterShards[]> {
  const config = await loadEstateConfig(environment.config);
  const etcd = await etcdReaderFromConfig(config);
  try {
    const { estate, shards, clusters } = await readEstateSnapshot(etcd, new Keys(config.estate));
    const wanted = new Set(issuers.map((issuer) => shardOf(issuer, estate.value.shardCount)));
    const byCluster = Map.groupBy(wanted, (shard) => shards.get(shard)?.value.cluster ?? 'nobody');
    return [...byCluster].map(([cluster, owned]) => {
      const leader = clusters.get(cluster)?.authority?.value.leader;
      if (leader === undefined || leader === null) throw new Error(`${cluster} has no leader`);
      return { cluster, leader, shards: owned.toSorted((a, b) => a - b) };
    });
  } finally {
    etcd.close();
  }
}

async function insist<T>({ signal }: ReadBackOptions, read: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + AUTHORITIES_TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await read();
    } catch (error) {
      if (performance.now() > deadline) {
        throw unknownError(`the authorities can't be read: ${messageOf(error)}`, {
          code: 'drill_unfinished',
          next: 'capstan status',
          cause: error,
        });
      }
    }
    await delay(AGAIN_AFTER_MS, undefined, { signal });
  }
}
