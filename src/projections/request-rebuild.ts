import type { ClientBase } from 'pg';
import { lockWatermark, setState } from './watermark-sql.ts';

export interface RebuildRequest {
  readonly client: ClientBase;
  readonly shards: readonly number[];
  readonly reason: string;
  readonly by: string;
}

/**
 * Asks for these shards to be folded anew by whichever projectors have them, a transaction a shard. Their rows stay, out of budget, until
 * then. Returns those that nobody had asked for before; repeats are harmless.
 */
export async function requestRebuild({ client, shards, reason, by }: RebuildRequest): Promise<number[]> {
  const asked: number[] = [];
  for (const shard of shards) {
    await client.query('begin');
    try {
      const { rebuildReason } = await lockWatermark(client, shard);
      if (rebuildReason === null) {
        await client.query(
          'insert into projection.rebuild (shard_id, reason, requested_by) values ($1, $2, $3)',
          [shard, reason, by],
        );
        await setState(client, { shard, state: 'rebuilding', why: reason });
        asked.push(shard);
      }
      await client.query('commit');
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      throw error;
    }
  }
  return asked;
}
