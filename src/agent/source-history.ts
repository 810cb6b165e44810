import { closeConnection } from '../postgres/connection.ts';
import { connectAs } from '../postgres/connect-as.ts';
import type { AgentContext } from './context.ts';
import { parseTimelineHistory, type SourceHistory } from './timeline-history.ts';

/** Asks another member's Postgres for its timeline history, by the replication protocol. */
export async function readSourceHistory(context: AgentContext, source: string): Promise<SourceHistory> {
  const { config, cluster, member, memberConfig } = context;
  const client = await connectAs({
    config,
    role: 'replication',
    cluster,
    member: source,
    region: [member, memberConfig.region],
    applicationName: `capstan-agent ${member} history`,
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
    replication: 'true',
  });
  // A walsender takes no statement_timeout here; a source that hangs must not hold up the reconciler.
  const late = setTimeout(() => {
    void closeConnection(client, { timeoutMs: 0 });
  }, 5_000);
  try {
    const system = await client.query<{ systemid: string; timeline: number; xlogpos: string }>(
      'IDENTIFY_SYSTEM',
    );
    const [row] = system.rows;
    if (row === undefined) throw new Error(`${source} did not identify itself`);
    const { timeline } = row;
    const switches =
      timeline === 1
        ? []
        : parseTimelineHistory(
            textOf(
              (await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`)).rows[0]
                ?.content,
            ),
          );
    return { systemIdentifier: row.systemid, timeline, flushedLsn: row.xlogpos, switches };
  } finally {
    clearTimeout(late);
    await closeConnection(client, { timeoutMs: 500 });
  }
}

/** Its column is bytes or text, by version. */
const textOf = (content: Buffer | string | undefined): string => content?.toString('utf8') ?? '';
