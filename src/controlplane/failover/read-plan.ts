import type { Clock } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import type { MapRecord } from '../../domain/records.ts';
import type { Contract } from '../../domain/contract.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import { clusterNotFound, type ClusterView, readClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { listOperations } from '../operation/journal.ts';
import { readProgress } from '../progress.ts';
import { readRecord, readVersionedContract, type Versioned } from '../store.ts';
import { planFailover } from './plan.ts';
import type { FailoverPlan } from './plan-types.ts';
import { planRegional } from './regional-plan.ts';
import { measuredPauses } from './rto-forecast.ts';

/** How many of the cluster's latest operations are searched for a measured pause. */
const RECENT_OPERATIONS = 20;

export interface FailoverRequest {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly cluster: string;
  readonly target?: string | null | undefined;
  readonly force?: boolean | undefined;
  readonly acceptDegraded?: boolean | undefined;
  readonly leaderIsDead?: boolean | undefined;
  /** Hand over to another region than the leader's, with the loss that the plan forecasts. */
  readonly region?: string | undefined;
  /** Regional only: this many lost decisions are accepted. */
  readonly acceptLoss?: number | undefined;
  /** Regional only: a person's word that the old leader can't confirm anything any more. */
  readonly attestIsolated?: string | undefined;
  readonly clock?: Clock | undefined;
}

export interface ReadPlan {
  readonly plan: FailoverPlan;
  /** What the plan was made from, with the revisions that the fence compares. */
  readonly view: ClusterView;
  readonly map: Versioned<MapRecord> | undefined;
  readonly contract: Versioned<Contract>;
}

/**
 * The dry run: reads etcd and plans, and changes nothing. A plan that can't be run carries its refusals. Throws
 * `cluster_not_found` or `estate_missing` (exit 4), `etcd_unreachable` (exit 7).
 */
export async function readFailoverPlan(request: FailoverRequest): Promise<ReadPlan> {
  const { etcd, keys, cluster, region, clock = systemClock } = request;
  const [contract, map, view, recent, progress] = await Promise.all([
    readVersionedContract(etcd, keys),
    readRecord<MapRecord>(etcd, keys.map),
    readClusterView(etcd, keys, cluster),
    listOperations({ etcd, keys, cluster, limit: RECENT_OPERATIONS }),
    region === undefined ? new Map() : readProgress(etcd, keys, cluster),
  ]);
  if (view === undefined) throw clusterNotFound(cluster);
  const { target, force, acceptDegraded, leaderIsDead, acceptLoss, attestIsolated } = request;
  const inputs = {
    view,
    mapVersion: map?.value.version ?? null,
    contract: contract.value,
    nowMs: clock.wallMs(),
    target,
    force,
    acceptDegraded,
    leaderIsDead,
    measured: measuredPauses(recent),
  };
  const plan =
    region === undefined
      ? planFailover(inputs)
      : planRegional({ ...inputs, region, progress, acceptLoss, attestIsolated });
  return { plan, view, map, contract };
}
