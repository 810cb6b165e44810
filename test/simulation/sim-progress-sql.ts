/** What src/agent/progress.ts asks. */
import type { Row, Statement } from './sim-sql.ts';
import { lsnText, timelineHex } from './wal.ts';

export function progress({ server }: Statement): readonly Row[] {
  const { postgres, replayed, mode, receiver } = server;
  const recovering = mode !== 'primary';
  const log = postgres.disk.wal.slice(0, replayed);
  const last = log.findLast(({ change }) => change.kind === 'decide')?.change;
  return [
    {
      recovering,
      lsn: lsnText(recovering ? (log.at(-1)?.lsn ?? 0) : postgres.endLsn),
      wal_file: recovering ? null : `${timelineHex(postgres.disk)}${'0'.repeat(16)}`,
      received_timeline: recovering && receiver.present ? postgres.disk.timeline : null,
      checkpoint_timeline: 1,
      segment_bytes: String(16 * 1024 * 1024),
      replayed_until: recovering && last?.kind === 'decide' ? new Date(last.decidedAt) : null,
    },
  ];
}

export function lineage({ server }: Statement): readonly Row[] {
  const { state, lineage: rows } = server.tables;
  return [{ term: state?.term ?? null, digest: JSON.stringify([...rows]) }];
}
