import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfig, EstateConfig } from '../config/estate-config.ts';
import { refusedError, usageError } from '../domain/errors.ts';
import type { AuthorityRecord, ClusterRecord, EstateRecord, MembershipRecord } from '../domain/records.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { auditIn } from './audit.ts';
import { readClusterView } from './cluster-view.ts';
import type { Keys } from './keys.ts';
import { ABSENT, concurrentChange, estateMissing, readRecord, Transaction } from './store.ts';

export interface CreateClusterOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly config: Pick<EstateConfig, 'clusters'>;
  readonly cluster: string;
  readonly actor: string;
}

export interface CreateClusterResult {
  readonly changed: boolean;
  readonly record: ClusterRecord;
  readonly membership: MembershipRecord;
}

/**
 * Admits a cluster as the configuration describes it: its record, membership epoch 1 and an authority in `bootstrap`,
 * term 1, in one transaction. Run again it changes nothing; a cluster of another shape is refused (`cluster_differs`,
 * exit 4), one that the configuration doesn't name as well (`cluster_unknown`).
 */
export async function createCluster(options: CreateClusterOptions): Promise<CreateClusterResult> {
  const { etcd, keys, config, cluster, actor } = options;
  const configured = config.clusters[cluster];
  if (configured === undefined) {
    throw usageError(`the configuration has no cluster ${cluster}`, {
      code: 'cluster_unknown',
      next: `add it under clusters: in capstan.yaml; known: ${Object.keys(config.clusters).join(', ') || 'none'}`,
    });
  }
  const estate = await readRecord<EstateRecord>(etcd, keys.estate);
  if (estate === undefined) throw estateMissing(keys);
  const membership = membershipOf(configured);
  const existing = await existingCluster(options, configured, membership);
  if (existing !== undefined) return existing;

  const at = new Date().toISOString();
  const record: ClusterRecord = {
    name: cluster,
    homeRegion: configured.homeRegion,
    bootstrapMember: configured.bootstrapMember,
    createdAt: at,
  };
  const authority: AuthorityRecord = {
    term: 1,
    leader: null,
    phase: 'bootstrap',
    operation: null,
    prefix: null,
    since: at,
  };
  const transaction = new Transaction(etcd)
    .expect(keys.estate, estate.revision)
    .expect(keys.clusterRecord(cluster), ABSENT)
    .expect(keys.membership(cluster), ABSENT)
    .expect(keys.authority(cluster), ABSENT)
    .put(keys.clusterRecord(cluster), record)
    .put(keys.membership(cluster), membership)
    .put(keys.authority(cluster), authority);
  auditIn(transaction, keys, {
    actor,
    action: 'cluster.create',
    target: cluster,
    after: { record, membership },
  });
  if (!(await transaction.commit())) throw concurrentChange(`the cluster ${cluster}`);
  return { changed: true, record, membership };
}

async function existingCluster(
  { etcd, keys, cluster }: CreateClusterOptions,
  configured: ClusterConfig,
  wanted: MembershipRecord,
): Promise<CreateClusterResult | undefined> {
  const view = await readClusterView(etcd, keys, cluster);
  if (view?.record === undefined || view.membership === undefined) return undefined;
  const record = view.record.value;
  const membership = view.membership.value;
  // Later epochs are changes of membership, which the file may follow at its own time.
  const sameMembers = membership.epoch > 1 || isDeepStrictEqual(membership.members, wanted.members);
  const sameShape =
    record.homeRegion === configured.homeRegion && record.bootstrapMember === configured.bootstrapMember;
  if (sameMembers && sameShape) return { changed: false, record, membership };
  throw refusedError(
    `the cluster ${cluster} exists already, with another home, bootstrap member or members`,
    {
      code: 'cluster_differs',
      next: `capstan cluster show ${cluster}`,
      data: { record, membership },
    },
  );
}

function membershipOf({ members }: ClusterConfig): MembershipRecord {
  return {
    epoch: 1,
    members: Object.fromEntries(
      Object.entries(members).map(([name, { region, role }]) => [name, { region, role }]),
    ),
  };
}
