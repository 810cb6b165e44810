import type { SqlClient } from '../postgres/sql-client.ts';

/** One rebuild of a shard. */
export interface RebuildRecord {
  readonly reason: string;
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly fromPosition: string | null;
  readonly toPosition: string | null;
  /** Null: it is not done yet. */
  readonly finishedAt: string | null;
}

interface Row {
  readonly reason: string;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly fromPosition: string | null;
  readonly toPosition: string | null;
  readonly finishedAt: Date | null;
}

/** A shard's last rebuilds, newest first. */
export async function readRebuilds(
  client: SqlClient,
  { shard, limit }: { readonly shard: number; readonly limit: number },
): Promise<readonly RebuildRecord[]> {
  const { rows } = await client.query<Row & Record<string, unknown>>(
    `select reason, requested_by as "requestedBy", requested_at as "requestedAt", from_position as "fromPosition",
        to_position as "toPosition", finished_at as "finishedAt"
      from projection.rebuild where shard_id = $1 order by rebuild_id desc limit $2`,
    [shard, limit],
  );
  return rows.map(({ reason, requestedBy, requestedAt, fromPosition, toPosition, finishedAt }) => ({
    reason,
    requestedBy,
    requestedAt: requestedAt.toISOString(),
    fromPosition,
    toPosition,
    finishedAt: finishedAt?.toISOString() ?? null,
  }));
}
