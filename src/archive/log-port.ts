import type { ShardLog } from '../domain/shard-log.ts';

/** The shards' log, as whoever archives or compares it reads it. */
export interface LogReader {
  /**
   * What comes after a position, for several shards of the estate, at most `limit` entries each. A shard that nobody
   * answers for is left out. Throws CapstanError where none can be asked.
   */
  read(
    requests: readonly { readonly shard: number; readonly after: string }[],
    limit: number,
  ): Promise<ReadonlyMap<number, ShardLog>>;
}
