import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import { readRebalance } from './ask.ts';
import { streamsOf } from './context.ts';
import { type RebalanceStatus, rebalanceStatus } from './status.ts';

/** Reads a rebalance and says how it stands. Throws `operation_not_found`, `rebalance_not_found` (exit 4). */
export async function readRebalanceStatus(options: {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly id: string;
  readonly clock?: Clock | undefined;
}): Promise<RebalanceStatus> {
  const { etcd, keys, id, clock = systemClock } = options;
  const { value: operation } = await readRebalance(options);
  const estate = await readEstateSnapshot(etcd, keys);
  const streams = streamsOf({ keys }, estate, id);
  return rebalanceStatus({ operation, streams, contract: estate.contract.value, nowMs: clock.wallMs() });
}
