import { refusedError } from '../domain/errors.ts';
import type { MapChangeRecord, ShardOwner } from '../domain/records.ts';
import type { ShardId } from '../domain/shard.ts';

/** Who owned what at one version of the map. */
export type OwnerMap = ReadonlyMap<ShardId, ShardOwner>;

/** One shard's difference between two versions; null: the shard had no owner. */
export interface ShardChange {
  readonly shard: ShardId;
  readonly from: ShardOwner | null;
  readonly to: ShardOwner | null;
}

/** What turns `before` into `after`, in shard order. */
export function diffOwners(before: OwnerMap, after: OwnerMap): readonly ShardChange[] {
  const shards = [...new Set([...before.keys(), ...after.keys()])].toSorted((a, b) => a - b);
  return shards.flatMap((shard) => {
    const from = before.get(shard) ?? null;
    const to = after.get(shard) ?? null;
    return sameOwner(from, to) ? [] : [{ shard, from, to }];
  });
}

/** Carries changes out; refuses one that doesn't start from what is there (`map_history_inconsistent`, exit 4). */
export function applyChanges(owners: OwnerMap, changes: readonly ShardChange[]): OwnerMap {
  const result = new Map(owners);
  for (const { shard, from, to } of changes) {
    if (!sameOwner(result.get(shard) ?? null, from)) {
      throw refusedError(`the map's history doesn't fit: shard ${shard} was not owned as its change says`, {
        code: 'map_history_inconsistent',
        data: { shard, expected: from, found: result.get(shard) ?? null },
      });
    }
    if (to === null) result.delete(shard);
    else result.set(shard, to);
  }
  return result;
}

/** The changes that undo these. */
export const inverseOf = (changes: readonly ShardChange[]): readonly ShardChange[] =>
  changes.map(({ shard, from, to }) => ({ shard, from: to, to: from })).toReversed();

/**
 * The map at an older version: the current owners with the history's changes after `version` undone, newest first.
 * `history` must hold every version from `version + 1` to the current one, in any order.
 */
export function ownersAt({
  current,
  currentVersion,
  history,
  version,
}: {
  readonly current: OwnerMap;
  readonly currentVersion: number;
  readonly history: readonly MapChangeRecord[];
  readonly version: number;
}): OwnerMap {
  const byVersion = new Map(history.map((record) => [record.version, record]));
  let owners = current;
  for (let undoing = currentVersion; undoing > version; undoing -= 1) {
    const record = byVersion.get(undoing);
    if (record === undefined || version < 0) {
      throw refusedError(`the map's history has no version ${undoing}`, {
        code: 'map_version_missing',
        next: 'capstan map history',
        data: { version: undoing },
      });
    }
    owners = applyChanges(owners, inverseOf(record.changes));
  }
  return owners;
}

/** Shards spread round-robin over the clusters in name order: the first map of an estate. */
export function spreadShards(shardCount: number, clusters: readonly string[]): OwnerMap {
  const names = clusters.toSorted();
  return new Map(
    Array.from({ length: shardCount }, (_, shard) => {
      const cluster = names[shard % names.length];
      if (cluster === undefined) throw new Error('a map needs a cluster');
      return [shard, { cluster, generation: 1 }];
    }),
  );
}

const sameOwner = (a: ShardOwner | null, b: ShardOwner | null) =>
  a?.cluster === b?.cluster && a?.generation === b?.generation;
