import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { otherOf } from '../../domain/move-records.ts';
import { type ShardId, shardOf } from '../../domain/shard.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import { rangeRecords } from '../store.ts';
import { measureClusters } from './measure.ts';
import { planRebalance } from './plan.ts';
import type { PlanLimits, PlannedRebalance, RebalanceAsk } from './plan-inputs.ts';
import type { LeaderSidesOptions } from './verify/leader-sides.ts';

export interface RebalanceRequest {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly connect: LeaderSidesOptions['connect'];
  readonly ask: RebalanceAsk;
  readonly limits?: Partial<PlanLimits>;
  /** Issuers whose shards stay where they are. */
  readonly pins?: readonly string[];
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULTS = {
  anyRegion: false,
  shardsMax: 1_000,
  tolerance: 0.1,
  concurrentCopiesMax: 2,
  verifyMaxAgeMs: 10 * 60_000,
} as const;

/**
 * The dry run: reads etcd and the leaders, plans, and changes nothing. A plan that can't be run carries its refusals; a leader that
 * can't be asked is one of them. Throws `estate_missing` (exit 4), `etcd_unreachable` (exit 7).
 */
export async function readRebalancePlan(request: RebalanceRequest): Promise<PlannedRebalance> {
  const { etcd, keys, ask, connect, limits = {}, pins = [], clock = systemClock, signal } = request;
  const before = await readEstateSnapshot(etcd, keys);
  const measured = await measureClusters({
    views: [...before.clusters.values()].filter(({ name }) => concerns(ask, name, before)),
    connect,
    diskFreeBytes: reportedDisk(before),
    clock,
    signal,
  });
  // Measuring takes a second and more: leases and claims are judged by what etcd says after it.
  const [estate, { records: moving }] = await Promise.all([
    readEstateSnapshot(etcd, keys),
    rangeRecords<string>(etcd, keys.movingShards),
  ]);
  const nowMs = clock.wallMs();
  const shards = [...estate.shards.values()].map(({ value }) => value);
  const contract = estate.contract.value;
  return planRebalance({
    ask,
    limits: {
      ...DEFAULTS,
      pauseBudgetMs: contract.movePause.maxMs,
      ...Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
    },
    mapVersion: estate.map.value.version,
    shards,
    clusters: estate.clusters,
    measured,
    moving: new Map(
      [...moving].map(([key, { value }]): [ShardId, string] => [
        Number(key.slice(keys.movingShards.length)),
        value,
      ]),
    ),
    pinned: new Map(pins.map((issuer) => [shardOf(issuer, estate.estate.value.shardCount), issuer])),
    reached: reachedPairs(estate),
    contract,
    nowMs,
  });
}

/** Of named shards only their owners and the target matter. */
function concerns(ask: RebalanceAsk, name: string, { shards }: EstateSnapshot): boolean {
  if (ask.kind !== 'named') return true;
  return ask.to === name || ask.shards.some((shard) => shards.get(shard)?.value.cluster === name);
}

/** What agents of leaders say of their disks while they send a stream. */
function reportedDisk({ moveReports }: EstateSnapshot): ReadonlyMap<string, string> {
  const reported = new Map<string, string>();
  for (const { value } of moveReports.values())
    if (value.role === 'owner' && value.diskFreeBytes !== null)
      reported.set(value.cluster, value.diskFreeBytes);
  return reported;
}

function reachedPairs({ moves, moveReports }: EstateSnapshot): ReadonlySet<string> {
  const records = new Map(
    [...moves.values()].map(({ value }) => [`${value.operation}/${value.stream}`, value]),
  );
  const pairs = new Set<string>();
  for (const { value } of moveReports.values()) {
    const record = records.get(`${value.operation}/${value.stream}`);
    if (
      record !== undefined &&
      value.role === 'other' &&
      value.following &&
      value.cluster === otherOf(record)
    )
      pairs.add(`${record.owner} ${value.cluster}`);
  }
  return pairs;
}
