import { type EstateConfig, loadEstateConfig } from '../../../config/estate-config.ts';
import { type ClusterView, listClusterViews } from '../../../controlplane/cluster-view.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../../../controlplane/estate-snapshot.ts';
import { Keys } from '../../../controlplane/keys.ts';
import { etcdFromConfig, etcdReaderFromConfig } from '../../../etcd/from-config.ts';
import { messageOf } from '../../../domain/errors.ts';
import type { EtcdPort } from '../../../etcd/port.ts';
import { CLUSTERS, type ClusterPlan } from '../../../sandbox/topology.ts';
import type { PlannedFault } from '../types.ts';
import { clusterDiceOf } from './dice.ts';
import { NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';

const ETCD_TIMEOUT_MS = 2_000;

export interface EstateInHand {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly config: EstateConfig;
}

/** etcd as the command line reaches it: directly, past every link. */
export async function withEstate<T>({ paths }: Site, use: (estate: EstateInHand) => Promise<T>): Promise<T> {
  const config = await loadEstateConfig(paths.config);
  const etcd = await etcdFromConfig(config);
  try {
    return await use({ etcd, keys: new Keys(config.estate), config });
  } finally {
    etcd.close();
  }
}

/** Every cluster as etcd has it now. Throws `etcd_unreachable` (exit 7). */
export async function readViews({ paths }: Site): Promise<ReadonlyMap<string, ClusterView>> {
  const config = await loadEstateConfig(paths.config);
  const etcd = await etcdReaderFromConfig(config, undefined, ETCD_TIMEOUT_MS);
  try {
    const views = await listClusterViews(etcd, new Keys(config.estate));
    return new Map(views.map((view) => [view.name, view]));
  } finally {
    etcd.close();
  }
}

/** The whole estate, the shard map included. */
export async function readSnapshot({ paths }: Site): Promise<EstateSnapshot> {
  const config = await loadEstateConfig(paths.config);
  const etcd = await etcdReaderFromConfig(config, undefined, ETCD_TIMEOUT_MS);
  try {
    return await readEstateSnapshot(etcd, new Keys(config.estate));
  } finally {
    etcd.close();
  }
}

/** A cluster that decides, or is about to, with what faults choose from. */
export interface OpenCluster {
  readonly plan: ClusterPlan;
  readonly name: string;
  readonly leader: string;
  readonly term: number;
  /** Recorded in sync, the leader aside. */
  readonly followers: readonly string[];
}

/** The cluster of a view, when a leader is decided and no operation holds it. */
export function openClusterIn(view: ClusterView | undefined): OpenCluster | undefined {
  const plan = CLUSTERS.find(({ name }) => name === view?.name);
  const authority = view?.authority?.value;
  if (view === undefined || plan === undefined || authority?.phase !== 'open') return undefined;
  const { leader, term } = authority;
  if (leader === null || view.activeOperation !== undefined) return undefined;
  const followers = (view.inSync?.value.voters ?? [])
    .map(({ member }) => member)
    .filter((member) => member !== leader);
  return { plan, name: view.name, leader, term, followers };
}

/**
 * The cluster that the draw names, or the other one when that isn't open (or not fit). Throws NothingToInjectInto when
 * neither is.
 */
export async function drawCluster(
  site: Site,
  planned: PlannedFault,
  isFit: (cluster: OpenCluster) => boolean = () => true,
): Promise<OpenCluster> {
  const views = await readViews(site).catch((error: unknown) => {
    throw new NothingToInjectInto(`nobody knows who leads: ${messageOf(error)}`);
  });
  const first = clusterDiceOf(planned).whole(0, CLUSTERS.length - 1);
  for (let n = 0; n < CLUSTERS.length; n += 1) {
    const cluster = openClusterIn(views.get(CLUSTERS[(first + n) % CLUSTERS.length]?.name ?? ''));
    if (cluster !== undefined && isFit(cluster)) return cluster;
  }
  throw new NothingToInjectInto('no cluster is open and as this fault needs it');
}

/** Whether another member could take over now without a loss. */
export const hasFollower = ({ followers }: OpenCluster): boolean => followers.length > 0;
