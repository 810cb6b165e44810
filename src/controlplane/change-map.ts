import { type Clock, timestampOf } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { refusedError } from '../domain/errors.ts';
import type { MapChangeRecord, MapRecord, ShardRecord, ShardState } from '../domain/records.ts';
import type { ShardId } from '../domain/shard.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { auditIn } from './audit.ts';
import type { Keys } from './keys.ts';
import { ownerOf } from './shard-map.ts';
import { Transaction, TRANSACTION_OPERATIONS_MAX, type Versioned } from './store.ts';

/** `map`, its history entry and the audit entry are written beside the shards' entries. */
export const MAP_CHANGE_SHARDS_MAX = TRANSACTION_OPERATIONS_MAX - 3;

export interface ShardMove {
  /** The entry as it was read: the change is made to this one or not at all. */
  readonly entry: Versioned<ShardRecord>;
  readonly cluster: string;
  readonly state?: ShardState;
  /** With another cluster: the position at which it takes over. */
  readonly handover?: string;
}

export interface ChangeMapOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly map: Versioned<MapRecord>;
  readonly moves: readonly ShardMove[];
  readonly actor: string;
  readonly reason: string;
  readonly operation?: string | null;
  readonly planHash?: string | null;
  /** More that must hold and be written in the same transaction (an operation's phase, a cluster's authority). */
  readonly also?: (transaction: Transaction) => void;
}

/** The pure part: the entries and the history record that a change writes. A change of owner raises the generation. */
export function planMapChange(
  { map, moves, actor, reason, operation = null }: Omit<ChangeMapOptions, 'etcd' | 'keys'>,
  at: string,
): { readonly map: MapRecord; readonly entries: readonly ShardRecord[]; readonly change: MapChangeRecord } {
  const version = map.value.version + 1;
  const entries = moves.map(
    ({ entry: { value }, cluster, state = value.state, handover = value.handover }) => ({
      shard: value.shard,
      cluster,
      generation: cluster === value.cluster ? value.generation : value.generation + 1,
      state,
      mapVersion: version,
      ...(handover === undefined ? {} : { handover }),
    }),
  );
  const before = new Map<ShardId, ShardRecord>(moves.map(({ entry: { value } }) => [value.shard, value]));
  const changes = entries.map((entry) => {
    const from = before.get(entry.shard);
    return { shard: entry.shard, from: from === undefined ? null : ownerOf(from), to: ownerOf(entry) };
  });
  return {
    map: { version, updatedAt: at },
    entries,
    change: { version, at, actor, reason, operation, changes },
  };
}

/**
 * Adds a change of the map to a transaction: compares `map` and each entry, puts version + 1, the history record and the audit
 * entry. Answers the new map record.
 */
export function changeMapIn(
  transaction: Transaction,
  options: Omit<ChangeMapOptions, 'etcd' | 'also'>,
  clock: Clock = systemClock,
): MapRecord {
  const { keys, map, moves, actor, reason, operation = null, planHash = null } = options;
  const plan = planMapChange(options, timestampOf(clock));
  const history = keys.mapChange(plan.change.version);
  transaction
    .expect(keys.map, map.revision)
    .put(keys.map, plan.map)
    .expect(history, '0')
    .put(history, plan.change);
  for (const { entry } of moves) transaction.expect(keys.shard(entry.value.shard), entry.revision);
  for (const entry of plan.entries) transaction.put(keys.shard(entry.shard), entry);
  const entry = {
    actor,
    action: 'map.change',
    target: `map@${plan.map.version}`,
    operation,
    planHash,
    before: { version: map.value.version },
    after: plan.change.changes,
    reason,
  };
  auditIn(transaction, keys, entry, clock);
  return plan.map;
}

/**
 * Changes entries of the shard map in one transaction that compares `map` and each entry: version + 1, the history
 * record, the audit entry. Answers the new map record, or undefined when something was changed meanwhile. Refuses more
 * than 125 shards at once (`map_change_too_large`, exit 4): larger changes are made in chunks, each a version.
 */
export async function changeMap(options: ChangeMapOptions): Promise<MapRecord | undefined> {
  const { etcd, moves, also } = options;
  if (moves.length > MAP_CHANGE_SHARDS_MAX) {
    throw refusedError(
      `${moves.length} shards are more than one change of the map takes (${MAP_CHANGE_SHARDS_MAX})`,
      {
        code: 'map_change_too_large',
        next: 'move them in chunks, each a version of the map',
        data: { shards: moves.length, shardsMax: MAP_CHANGE_SHARDS_MAX },
      },
    );
  }
  const transaction = new Transaction(etcd);
  const changed = changeMapIn(transaction, options);
  also?.(transaction);
  return (await transaction.commit()) ? changed : undefined;
}
