import type { Clock } from '../../../clock/clock.ts';
import { type MoveRecord, type MoveReport, otherOf } from '../../../domain/move-records.ts';
import type { EtcdReader } from '../../../etcd/port.ts';
import { readClusterView } from '../../cluster-view.ts';
import type { Keys } from '../../keys.ts';
import { claimOfCluster } from '../../rpo-gate-standing.ts';
import { readRecord } from '../../store.ts';
import { throwIfStopped } from './snapshot-pair.ts';

/** Owner's commits take longer than this: what reads beside them yields. */
const COMMIT_MS_MAX = 100;
const LOOK_EVERY_MS = 500;

/**
 * What a comparison waits for before it takes snapshots: looked up at most twice a second, and waited for as long as it takes, for
 * a comparison is never urgent.
 */
export function readSnapshotRest(about: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly record: MoveRecord;
  readonly signal: AbortSignal | undefined;
}): () => Promise<void> {
  const { clock, signal } = about;
  let lookedAtMs = -Infinity;
  return async () => {
    if (clock.monotonicMs() - lookedAtMs < LOOK_EVERY_MS) return;
    while (await mustYield(about)) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      throwIfStopped(signal);
    }
    lookedAtMs = clock.monotonicMs();
  };
}

async function mustYield(about: Parameters<typeof readSnapshotRest>[0]): Promise<boolean> {
  const { etcd, keys, clock, record } = about;
  const { operation, stream, owner } = record;
  const other = otherOf(record);
  const [view, report] = await Promise.all([
    readClusterView(etcd, keys, other),
    readRecord<MoveReport>(etcd, keys.moveReport(operation, stream, owner)),
  ]);
  if (view === undefined) return true;
  const { claim } = claimOfCluster(view, clock.wallMs());
  if (claim !== 'advertised' && claim !== 'none') return true;
  return report?.value.role === 'owner' && (report.value.commitMs ?? 0) > COMMIT_MS_MAX;
}
