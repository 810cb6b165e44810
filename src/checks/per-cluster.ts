import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { AuthorityRecord } from '../domain/records.ts';
import { messageOf } from '../domain/errors.ts';
import type { CheckContext, Finding } from './types.ts';

export interface ClusterUnderCheck {
  readonly context: CheckContext;
  readonly estate: EstateSnapshot;
  readonly cluster: string;
  readonly view: ClusterView;
  readonly authority: AuthorityRecord;
  readonly leader: string;
}

/** What a check finds of one thing; the cluster's name is added here. */
export type ClusterFinding = Omit<Finding, 'subject' | 'cluster'> & { readonly subject?: string };

type Judge = (about: ClusterUnderCheck) => Promise<ClusterFinding>;

/** The clusters that are admitted or own shards, in name order. */
export function clusterNames(estate: EstateSnapshot): readonly string[] {
  const owners = [...estate.shards.values()].map(({ value }) => value.cluster);
  return [...new Set([...estate.clusters.keys(), ...owners])].toSorted();
}

/**
 * Judges every cluster that owns shards or is admitted, all at once. One without an open authority has no leader to ask:
 * `unknown`, and `fail` for the one check whose promise that is. One that can't be asked doesn't spoil the others.
 */
export async function perCluster(
  context: CheckContext,
  judge: Judge,
  { closed = 'unknown' }: { readonly closed?: 'fail' | 'unknown' } = {},
): Promise<readonly Finding[]> {
  const { estate } = await context.snapshot();
  const names = clusterNames(estate);
  if (names.length === 0)
    return [{ status: 'fail', subject: 'estate', message: 'the estate has no cluster' }];
  const found = await Promise.all(
    names.map(async (cluster) => {
      const findings = await judgeOne({ context, estate, cluster, judge, closed });
      return findings.map((finding) => ({ subject: cluster, cluster, ...finding }));
    }),
  );
  return found.flat();
}

async function judgeOne(options: {
  readonly context: CheckContext;
  readonly estate: EstateSnapshot;
  readonly cluster: string;
  readonly judge: Judge;
  readonly closed: 'fail' | 'unknown';
}): Promise<readonly ClusterFinding[]> {
  const { context, estate, cluster, judge, closed } = options;
  const view = estate.clusters.get(cluster);
  const authority = view?.authority?.value;
  if (view === undefined || authority === undefined) {
    return [
      {
        status: closed,
        message: 'it owns shards and was never created',
        next: `capstan cluster create ${cluster}`,
      },
    ];
  }
  if (authority.phase !== 'open' || authority.leader === null) {
    const operation = view.activeOperation?.value;
    return [
      {
        status: closed,
        message: `its authority is ${authority.phase} under term ${authority.term}: nobody may decide`,
        next:
          operation === undefined
            ? `capstan cluster show ${cluster}`
            : `capstan operation resume ${operation}`,
      },
    ];
  }
  try {
    return [await judge({ context, estate, cluster, view, authority, leader: authority.leader })];
  } catch (error) {
    return [{ status: 'unknown', message: `${authority.leader} could not be asked: ${messageOf(error)}` }];
  }
}
