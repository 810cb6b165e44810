import { fence } from './fence.ts';
import type { SimPostgres } from './sim-postgres.ts';
import { isNamed, parseNames } from './walsenders.ts';

/** The term under which this member's fence would let a decision pass now; undefined: it would refuse. */
export function rightOf({ server }: SimPostgres, shards: number): number | undefined {
  if (server?.mode !== 'primary' || !server.answers) return undefined;
  const inputs = server.fenceInputs;
  const { lease, tables } = inputs;
  if (lease === undefined || tables.state === undefined) return undefined;
  const { cluster, epoch, term } = tables.state;
  for (let shard = 0; shard < shards; shard += 1) {
    const generation = tables.authority.get(shard)?.generation ?? 0;
    const passed = fence(inputs, { cluster, epoch, term, shard, generation, deciding: true });
    if (typeof passed !== 'string') return term;
  }
  return undefined;
}

/** Whether a commit that began now could be let go by those that it would wait for. */
export function canBeAcknowledged({ server }: SimPostgres): boolean {
  if (server === undefined || server.process.state !== 'running') return false;
  if (server.settings.checkpointer === '') return true;
  const able = server.walsenders.rows.filter(
    (row) => isNamed(row) && !row.dead && row.follower.server?.receiver.streamsFrom === row,
  );
  return able.length >= parseNames(server.settings.checkpointer).required;
}
