import { type Clock, timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { messageOf, unknownError } from '../../domain/errors.ts';
import { MOVE_OBJECTS } from '../../domain/move-records.ts';
import type { MoveOrphans, SweepReport, SweepRequest } from '../../domain/sweep-records.ts';
import type { EtcdPort, EtcdReader } from '../../etcd/port.ts';
import { type MoveLeftovers, readMoveLeftovers } from '../../postgres/queries/move-leftovers.ts';
import { auditIn } from '../audit.ts';
import type { ClusterView } from '../cluster-view.ts';
import { clusterNotFound } from '../cluster-view.ts';
import { type EstateSnapshot, type EstateView, readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import { concurrentChange, readRecord, revisionOf, Transaction } from '../store.ts';
import { whyObjectStays, whyRowsStay } from './orphans.ts';
import type { LeaderSidesOptions } from './verify/leader-sides.ts';

const POLL_MS = 200;

export interface ClusterOrphans {
  readonly cluster: string;
  readonly member: string | null;
  readonly orphans: MoveOrphans;
  /** Why its leader could not be asked: what is left there is not known. */
  readonly unknown: string | null;
}

const NONE: MoveOrphans = { subscriptions: [], slots: [], publications: [], shards: [] };

export const isSwept = ({ subscriptions, slots, publications, shards }: MoveOrphans): boolean =>
  subscriptions.length + slots.length + publications.length + shards.length === 0;

export interface SweepLook {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly connect: LeaderSidesOptions['connect'];
  /** Undefined: all. */
  readonly cluster?: string | undefined;
}

/** Asks the leaders what they have that no live stream wants. Changes nothing. Throws `cluster_not_found` (exit 4). */
export async function readOrphans(
  look: SweepLook,
): Promise<{ readonly estate: EstateSnapshot; readonly found: readonly ClusterOrphans[] }> {
  const { etcd, keys, cluster } = look;
  const estate = await readEstateSnapshot(etcd, keys);
  if (cluster !== undefined && !estate.clusters.has(cluster)) throw clusterNotFound(cluster);
  const views = [...estate.clusters.values()].filter(({ name }) => cluster === undefined || name === cluster);
  const looked = await Promise.all(views.map((view) => orphansAt(look, estate, view)));
  // What began meanwhile is no orphan.
  const after = await readEstateSnapshot(etcd, keys);
  return {
    estate: after,
    found: looked.map((one) => ({ ...one, orphans: orphansOf(one.orphans, after, one.cluster) })),
  };
}

async function orphansAt(
  { connect }: SweepLook,
  estate: EstateSnapshot,
  { name, authority }: ClusterView,
): Promise<ClusterOrphans> {
  const member = authority?.value.leader ?? null;
  if (member === null) return { cluster: name, member, orphans: NONE, unknown: 'it has no leader' };
  try {
    const side = await connect(name, member);
    try {
      const about = { prefix: MOVE_OBJECTS, shardCount: estate.estate.value.shardCount };
      const leftovers = await readMoveLeftovers(side.client, about);
      return { cluster: name, member, orphans: orphansOf(leftovers, estate, name), unknown: null };
    } finally {
      side.drop();
    }
  } catch (error) {
    return { cluster: name, member, orphans: NONE, unknown: messageOf(error) };
  }
}

/** Of all that bears a move's name, and all shards that have rows: what no live stream and not the map wants there. Pure. */
export function orphansOf(
  found: MoveLeftovers,
  estate: Pick<EstateView, 'moves' | 'shards'>,
  cluster: string,
): MoveOrphans {
  const strange = (names: readonly string[]) =>
    names.filter((name) => whyObjectStays(name, estate, cluster) === undefined);
  return {
    subscriptions: strange(found.subscriptions),
    slots: strange(found.slots),
    publications: strange(found.publications),
    shards: found.shards.filter((shard) => whyRowsStay(shard, estate, cluster) === undefined),
  };
}

export interface ApplySweep {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly estate: EstateSnapshot;
  readonly found: ClusterOrphans;
  readonly actor: string;
  readonly reason?: string | undefined;
  readonly clock?: Clock;
}

/** Asks a leader's agent to drop what was found. Audited. Throws `concurrent_change` (exit 4). */
export async function askForSweep({
  etcd,
  keys,
  estate,
  found,
  actor,
  reason,
  clock = systemClock,
}: ApplySweep): Promise<SweepRequest> {
  const { cluster, orphans } = found;
  const key = keys.sweepRequest(cluster);
  const held = await readRecord<SweepRequest>(etcd, key);
  const request: SweepRequest = {
    id: `sweep-${clock.uuid()}`,
    orphans,
    mapVersion: estate.map.value.version,
    askedBy: actor,
    askedAt: timestampOf(clock),
  };
  const transaction = new Transaction(etcd)
    .expect(key, revisionOf(held))
    .expect(keys.map, estate.map.revision)
    .put(key, request);
  const entry = {
    actor,
    action: 'rebalance.sweep',
    target: cluster,
    before: orphans,
    after: { request: request.id },
    reason: reason ?? null,
  };
  auditIn(transaction, keys, entry, clock);
  if (!(await transaction.commit())) throw concurrentChange(`what is to be swept of ${cluster}`);
  return request;
}

/** Waits for the agent's answer. Throws `wait_timed_out` (exit 5). */
export async function waitForSweep(about: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly cluster: string;
  readonly request: SweepRequest;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}): Promise<SweepReport> {
  const { etcd, keys, cluster, request, timeoutMs, signal, clock = systemClock } = about;
  const untilMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const report = await readRecord<SweepReport>(etcd, keys.sweepReport(cluster));
    if (report?.value.id === request.id) return report.value;
    if (clock.monotonicMs() >= untilMs || signal?.aborted === true)
      throw unknownError(`the leader's agent of ${cluster} has not answered ${request.id}`, {
        code: 'wait_timed_out',
        next: `capstan rebalance sweep ${cluster}`,
        data: { cluster, request: request.id },
      });
    await clock.sleep(POLL_MS, signal);
  }
}
