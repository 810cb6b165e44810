import { formatDurationMs } from '../domain/duration.ts';
import { readClaim } from '../domain/rpo-claim.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

/** The RPO claim of each cluster is advertised, and proved at this moment. */
export const remoteLag: Check = {
  name: 'remote-lag',
  claim:
    'a regional failover would lose no more than the RPO budget: the claim is advertised and still proved',
  asks: 'etcd (each leader’s agent writes the claim)',
  timeoutMs: 4_000,
  run: (context) => perCluster(context, claim),
};

async function claim({ context, view, estate, cluster, leader }: ClusterUnderCheck): Promise<ClusterFinding> {
  const home = view.record?.value.homeRegion;
  if (view.membership === undefined || home === undefined) {
    return { status: 'unknown', message: 'its members or its home region are not recorded', asked: 'etcd' };
  }
  const members = Object.values(view.membership.value.members);
  if (!members.some(({ region }) => region !== home)) {
    return { status: 'skipped', message: 'no member outside its home region: there is no claim to keep' };
  }
  const { budgetMs } = estate.contract.value.rpo;
  const budget = `at most ${formatDurationMs(budgetMs)}`;
  const record = view.claim?.value;
  if (record === undefined) {
    return { status: 'unknown', message: `${leader}'s agent has published no claim`, budget, asked: 'etcd' };
  }
  const { readAtMs } = await context.snapshot();
  const { claim: state, lagMs, reason } = readClaim(record, readAtMs);
  const evidence = {
    budget,
    asked: leader,
    sampleAgeMs: Math.max(0, readAtMs - Date.parse(record.at)),
    figure: lagMs === null ? 'lag unknown' : `${formatDurationMs(lagMs)} behind`,
  };
  const next = `capstan cluster show ${cluster}`;
  if (state === 'withdrawn') {
    return {
      ...evidence,
      status: 'fail',
      message: `the claim is withdrawn: ${reason ?? 'no reason given'}`,
      next,
    };
  }
  if (state === 'lapsed') {
    return {
      ...evidence,
      status: 'fail',
      message: 'the claim has lapsed: nothing has proved it lately',
      next,
    };
  }
  if (lagMs === null) return { ...evidence, status: 'unknown', message: 'the lag is not known', next };
  if (lagMs > budgetMs) return { ...evidence, status: 'fail', message: 'the lag is over its budget', next };
  return { ...evidence, status: 'pass', message: `advertised, and proved until ${record.validUntil}` };
}
