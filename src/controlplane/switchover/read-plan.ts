import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { Contract } from '../../domain/contract.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { MapRecord } from '../../domain/records.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { listOperations } from '../operation/journal.ts';
import { stepResult } from '../operation/record.ts';
import { readRecord, readVersionedContract, type Versioned } from '../store.ts';
import { planSwitchover } from './plan.ts';
import type { SwitchoverPlan } from './plan-types.ts';

/** How many of the cluster's latest operations are searched for a measured pause. */
const RECENT_OPERATIONS = 20;

export interface SwitchoverRequest {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly cluster: string;
  readonly target?: string | null | undefined;
  readonly pauseBudgetMs?: number | undefined;
  readonly acceptDegraded?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

export interface ReadSwitchoverPlan {
  readonly plan: SwitchoverPlan;
  /** What the plan was made from, with the revisions that the run compares. */
  readonly view: ClusterView;
  readonly map: Versioned<MapRecord> | undefined;
  readonly contract: Versioned<Contract>;
}

/**
 * The dry run: reads etcd and plans, and changes nothing. A plan that can't be run carries its refusals. Throws
 * `cluster_not_found` or `estate_missing` (exit 4), `etcd_unreachable` (exit 7).
 */
export async function readSwitchoverPlan(request: SwitchoverRequest): Promise<ReadSwitchoverPlan> {
  const { etcd, keys, cluster, target, pauseBudgetMs, acceptDegraded, clock = systemClock } = request;
  const [contract, map, view, recent] = await Promise.all([
    readVersionedContract(etcd, keys),
    readRecord<MapRecord>(etcd, keys.map),
    readClusterView(etcd, keys, cluster),
    listOperations({ etcd, keys, cluster, limit: RECENT_OPERATIONS }),
  ]);
  if (view === undefined) throw clusterNotFound(cluster);
  const plan = planSwitchover({
    view,
    mapVersion: map?.value.version ?? null,
    contract: contract.value,
    nowMs: clock.wallMs(),
    target,
    pauseBudgetMs,
    acceptDegraded,
    lastPause: lastMeasuredPause(recent),
  });
  return { plan, view, map, contract };
}

function lastMeasuredPause(
  operations: readonly OperationRecord[],
): { readonly operation: string; readonly ms: number } | undefined {
  for (const record of operations) {
    const ms = stepResult(record, 'settle')?.['pauseMs'];
    if (record.kind === 'switchover' && record.status === 'done' && typeof ms === 'number')
      return { operation: record.id, ms };
  }
  return undefined;
}
