import { formatDurationMs } from '../domain/duration.ts';
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
  const members = Object.values(view.membership?.value.members ?? {});
  const home = view.record?.value.homeRegion;
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
  const evidence = {
    budget,
    asked: leader,
    sampleAgeMs: Math.max(0, readAtMs - Date.parse(record.at)),
    figure: record.lagMs === null ? 'lag unknown' : `${formatDurationMs(record.lagMs)} behind`,
  };
  const next = `capstan cluster show ${cluster}`;
  if (record.status === 'withdrawn') {
    return {
      ...evidence,
      status: 'fail',
      message: `the claim is withdrawn: ${record.reason ?? 'no reason given'}`,
      next,
    };
  }
  if (record.validUntil === null || Date.parse(record.validUntil) <= readAtMs) {
    return {
      ...evidence,
      status: 'fail',
      message: 'the claim has lapsed: nothing has proved it lately',
      next,
    };
  }
  if (record.lagMs === null) return { ...evidence, status: 'unknown', message: 'the lag is not known', next };
  if (record.lagMs > budgetMs)
    return { ...evidence, status: 'fail', message: 'the lag is over its budget', next };
  return { ...evidence, status: 'pass', message: `advertised, and proved until ${record.validUntil}` };
}
