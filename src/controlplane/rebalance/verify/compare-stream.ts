import { type Clock, timestampOf } from '../../../clock/clock.ts';
import type { MoveDifference, Positions, VerificationCursor } from '../../../domain/move-records.ts';
import type { ShardId } from '../../../domain/shard.ts';
import { MOVED_TABLES } from '../../../postgres/queries/compare/tables.ts';
import type { Compared } from '../ports.ts';
import { compareChanged } from './compare-changed.ts';
import { compareChunk } from './compare-chunk.ts';
import { ProgressNotes } from './progress-notes.ts';
import { throwIfStopped, type TwoSides, withSnapshots } from './snapshot-pair.ts';

export interface CompareStreamOptions {
  readonly sides: TwoSides;
  readonly shards: readonly ShardId[];
  readonly cursor: VerificationCursor | null;
  readonly onProgress: (cursor: VerificationCursor) => Promise<void>;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Resolves when the next pair of snapshots may be taken. No snapshot is held meanwhile. */
  readonly rest?: (() => Promise<void>) | undefined;
  readonly chunkRows?: number;
  readonly differencesMax?: number;
}

const CHUNK_ROWS = 2_000;
const DIFFERENCES_MAX = 100;
/** No snapshot is used for longer than this, but for the chunk that it is in. */
const SNAPSHOT_MS = 200;

interface Place {
  readonly shard: ShardId;
  readonly table: number;
  readonly after: readonly string[] | null;
}

interface Tally {
  readonly place: Place | null;
  readonly rows: number;
  readonly later: number;
  readonly positions: Positions;
  readonly differences: readonly MoveDifference[];
}

/**
 * Compares all rows of a stream's shards, table by table in key order, from the cursor on. Each few chunks have snapshots of their
 * own, so one chunk is compared at a later position than the one before; what that leaves out is named by the log since the
 * shard's first snapshot, and is compared at the end. The cursor never goes past a difference: whoever goes on from it finds
 * that again. Ends early once there are as many differences as are reported.
 */
export async function compareStream(options: CompareStreamOptions): Promise<Compared> {
  const { sides, shards, clock, signal, rest, differencesMax = DIFFERENCES_MAX } = options;
  const cursor = usable(options.cursor, shards);
  const startedAt = cursor?.startedAt ?? timestampOf(clock);
  const notes = new ProgressNotes(clock, options.onProgress);
  let tally: Tally = {
    place: cursor === null ? firstPlace(shards) : placeOf(cursor),
    rows: Number(cursor?.rows ?? 0),
    later: Number(cursor?.laterRows ?? 0),
    positions: cursor?.positions ?? {},
    differences: [],
  };
  while (tally.place !== null && tally.differences.length < differencesMax) {
    throwIfStopped(signal);
    await rest?.();
    tally = await compareUnderOneSnapshot(options, tally, tally.place);
    if (tally.place !== null && tally.differences.length === 0)
      await notes.note(cursorAt(tally, tally.place, startedAt));
  }
  const rows = { rows: String(tally.rows), laterRows: String(tally.later) };
  if (tally.differences.length > 0) {
    const verification = { positions: tally.positions, ...rows, at: timestampOf(clock) };
    return { verification, differences: tally.differences.slice(0, differencesMax) };
  }
  const since = { since: tally.positions, sealed: false, differencesMax };
  const changes = await compareChanged({ sides, shards, clock, signal, rest, ...since });
  return {
    verification: { positions: changes.positions, ...rows, at: timestampOf(clock) },
    differences: changes.differences,
  };
}

async function compareUnderOneSnapshot(
  options: CompareStreamOptions,
  before: Tally,
  from: Place,
): Promise<Tally> {
  const { sides, shards, clock, signal } = options;
  const { shard } = from;
  const limit = options.chunkRows ?? CHUNK_ROWS;
  const differencesMax = options.differencesMax ?? DIFFERENCES_MAX;
  return withSnapshots({ sides, shards: [shard], clock, signal }, async ({ other }) => {
    const head = other.get(shard)?.position ?? '0';
    const untilMs = clock.monotonicMs() + SNAPSHOT_MS;
    let tally: Tally = { ...before, positions: { [String(shard)]: head, ...before.positions } };
    let place: Place | null = from;
    while (place?.shard === shard && tally.differences.length < differencesMax) {
      const table = MOVED_TABLES[place.table];
      if (table === undefined) break;
      const about = { sides, shard, table, after: place.after, head, limit, differencesMax };
      const chunk = await compareChunk(about);
      place = chunk.last === null ? nextTable(place, shards) : { ...place, after: chunk.last };
      tally = {
        ...tally,
        place,
        rows: tally.rows + chunk.rows,
        later: tally.later + chunk.later,
        differences: [...tally.differences, ...chunk.differences],
      };
      if (clock.monotonicMs() >= untilMs) break;
    }
    return tally;
  });
}

const firstPlace = (shards: readonly ShardId[]): Place | null => {
  const [shard] = shards;
  return shard === undefined ? null : { shard, table: 0, after: null };
};

function nextTable({ shard, table }: Place, shards: readonly ShardId[]): Place | null {
  if (table + 1 < MOVED_TABLES.length) return { shard, table: table + 1, after: null };
  return firstPlace(shards.slice(shards.indexOf(shard) + 1));
}

const tableIndex = (name: string): number => MOVED_TABLES.findIndex((table) => table.name === name);

/** One of other shards or tables says nothing: from the start. */
const usable = (cursor: VerificationCursor | null, shards: readonly ShardId[]): VerificationCursor | null =>
  cursor !== null && shards.includes(cursor.shard) && tableIndex(cursor.table) >= 0 ? cursor : null;

const placeOf = ({ shard, table, after }: VerificationCursor): Place => ({
  shard,
  table: tableIndex(table),
  after,
});

const cursorAt = (
  { rows, later, positions }: Tally,
  { shard, table, after }: Place,
  startedAt: string,
): VerificationCursor => ({
  shard,
  table: MOVED_TABLES[table]?.name ?? '',
  after,
  rows: String(rows),
  laterRows: String(later),
  positions,
  startedAt,
});
