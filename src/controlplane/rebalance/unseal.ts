import type { Clock } from '../../clock/clock.ts';
import { timestampOf } from '../../clock/clock.ts';
import type { MoveRecord } from '../../domain/move-records.ts';
import type { MapRecord, ShardRecord } from '../../domain/records.ts';
import type { ShardId } from '../../domain/shard.ts';
import { changeMapIn } from '../change-map.ts';
import type { Keys } from '../keys.ts';
import type { Transaction, Versioned } from '../store.ts';
import { nextMove } from './transitions.ts';

/** What a transition of a stream that touches the map was decided on. */
export interface MapSight {
  readonly map: Versioned<MapRecord>;
  readonly shards: ReadonlyMap<ShardId, Versioned<ShardRecord>>;
}

/**
 * Adds a back-out to a transaction: the stream follows again, and the owner serves its shards. It compares the stream, the
 * map and the entries, so of a flip and a back-out one happens. Both the coordinator and the owner's leader's agent may.
 */
export function backOutIn(
  transaction: Transaction,
  about: {
    readonly keys: Keys;
    readonly clock: Clock;
    readonly held: Versioned<MoveRecord>;
    readonly sight: MapSight;
    readonly actor: string;
    readonly error: { readonly code: string; readonly message: string };
  },
): MoveRecord {
  const { keys, clock, held, sight, actor, error } = about;
  const { operation, stream, shards, owner } = held.value;
  const next = nextMove(held.value, 'back-out', timestampOf(clock), { error });
  transaction.expect(keys.move(operation, stream), held.revision).put(keys.move(operation, stream), next);
  const change = {
    keys,
    map: sight.map,
    moves: entriesOf(sight, shards).map((entry) => ({ entry, cluster: owner, state: 'serving' as const })),
    actor,
    reason: `cutover backed out: ${error.message}`,
    operation,
  };
  changeMapIn(transaction, change, clock);
  return next;
}

/** The map's entries of a stream's shards. */
export function entriesOf(
  { shards }: MapSight,
  wanted: readonly ShardId[],
): readonly Versioned<ShardRecord>[] {
  return wanted.map((shard) => {
    const entry = shards.get(shard);
    if (entry === undefined) throw new Error(`shard ${shard} is not in the map`);
    return entry;
  });
}
