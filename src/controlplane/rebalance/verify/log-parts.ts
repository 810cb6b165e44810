import { refusedError } from '../../../domain/errors.ts';
import type { Positions } from '../../../domain/move-records.ts';
import type { ShardId } from '../../../domain/shard.ts';
import type { LogRange } from '../../../postgres/queries/compare/changed-rows.ts';
import type { Heads } from './snapshot-pair.ts';

/** Rows of the log that are looked at under one pair of snapshots. */
const ROUND_ROWS = 5_000n;

/** A part of a shard's log, and where the side that receives stands. */
export type LogPart = LogRange & { readonly head: string };

/**
 * The next parts of the shards' logs, as many as one round takes. Throws `move_position_lost` (exit 4) where the side that
 * receives has fallen behind what was verified.
 */
export function nextParts(
  shards: readonly ShardId[],
  heads: Heads,
  since: Positions,
): { readonly parts: readonly LogPart[]; readonly last: boolean } {
  const parts: LogPart[] = [];
  let left = ROUND_ROWS;
  let last = true;
  for (const shard of shards) {
    const head = heads.get(shard)?.position;
    if (head === undefined) continue;
    const after = since[String(shard)] ?? '0';
    const length = BigInt(head) - BigInt(after);
    if (length < 0n) throw positionLost(shard, after, head);
    if (length === 0n) continue;
    const taken = length < left ? length : left;
    if (taken < length) last = false;
    if (taken === 0n) continue;
    parts.push({ shard, after, upTo: String(BigInt(after) + taken), head });
    left -= taken;
  }
  return { parts, last };
}

const positionLost = (shard: ShardId, verified: string, head: string) =>
  refusedError(
    `shard ${shard} was verified up to ${verified}, and the side that receives now stands at ${head}`,
    {
      code: 'move_position_lost',
      next: 'compare all rows again: capstan rebalance verify',
      data: { shard, verified, head },
    },
  );
