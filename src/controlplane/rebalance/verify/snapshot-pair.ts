import type { Clock } from '../../../clock/clock.ts';
import { refusedError, unknownError } from '../../../domain/errors.ts';
import type { ShardId } from '../../../domain/shard.ts';
import { beginSnapshot } from '../../../postgres/queries/compare/begin-snapshot.ts';
import { type HeadFacts, readHeads } from '../../../postgres/queries/compare/head-facts.ts';
import type { SqlClient } from '../../../postgres/sql-client.ts';

/** The two Postgres of a stream: leaders, as a role that reads all tables. Nothing else uses these connections meanwhile. */
export interface TwoSides {
  readonly owner: SqlClient;
  readonly other: SqlClient;
}

export type Heads = ReadonlyMap<ShardId, HeadFacts>;

const OWNER_WAIT_MS = 5_000;
const OWNER_POLL_MS = 10;

/**
 * Runs `use` with one snapshot of each side, other's the older one: what it shows, owner's shows too. Logical decoding runs ahead
 * of what is visible, so other may have a decision that still waits for owner's follower; then owner's snapshot is taken again.
 * Both end with `use`: a snapshot that is held makes a hot head slow.
 */
export async function withSnapshots<T>(
  about: {
    readonly sides: TwoSides;
    readonly shards: readonly ShardId[];
    readonly clock: Clock;
    readonly signal?: AbortSignal | undefined;
  },
  use: (heads: { readonly owner: Heads; readonly other: Heads }) => Promise<T>,
): Promise<T> {
  const { sides, shards } = about;
  // Two connections, but one order: other's snapshot is taken before owner's.
  const [other] = await Promise.all([openSide(sides.other, shards), beginSnapshot(sides.owner)]);
  let result: T;
  try {
    const owner = await ownerFrom(about, other);
    result = await use({ owner, other });
  } catch (error) {
    await Promise.allSettled([sides.owner.query('rollback'), sides.other.query('rollback')]);
    throw error;
  }
  // Not waited for: what follows on these connections comes after it, and a seal's budget runs.
  for (const side of [sides.owner, sides.other]) side.query('rollback').catch(() => undefined);
  return result;
}

async function openSide(client: SqlClient, shards: readonly ShardId[]): Promise<Heads> {
  await beginSnapshot(client);
  return readHeads(client, shards);
}

/** Owner's transaction has begun; its snapshot is taken here. */
async function ownerFrom(about: Parameters<typeof withSnapshots>[0], other: Heads): Promise<Heads> {
  const { sides, shards, clock, signal } = about;
  const untilMs = clock.monotonicMs() + OWNER_WAIT_MS;
  for (;;) {
    const owner = await readHeads(sides.owner, shards);
    const behind = [...other.values()].find(
      ({ shard, position }) => BigInt(owner.get(shard)?.position ?? position) < BigInt(position),
    );
    if (behind === undefined) return owner;
    if (clock.monotonicMs() >= untilMs) {
      throw refusedError(
        `shard ${behind.shard} is at ${behind.position} on the side that receives, and its owner shows ${owner.get(behind.shard)?.position} even after a wait`,
        {
          code: 'move_owner_behind',
          retryable: true,
          next: 'see whether the owner’s commits wait for a follower: capstan cluster show',
          data: { shard: behind.shard },
        },
      );
    }
    await sides.owner.query('rollback');
    await clock.sleep(OWNER_POLL_MS, signal);
    throwIfStopped(signal);
    await beginSnapshot(sides.owner);
  }
}

/** At a safe step: nothing is held. */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw unknownError('the comparison was interrupted', { code: 'operation_interrupted' });
}
