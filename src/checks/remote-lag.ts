import { formatDurationMs } from '../domain/duration.ts';
import { rpoStanding } from '../controlplane/rpo-gate-standing.ts';
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
  if (view.membership === undefined) {
    return { status: 'unknown', message: 'its members are not recorded', asked: 'etcd' };
  }
  const { readAtMs } = await context.snapshot();
  const {
    claim: state,
    lagMs,
    reason,
    budgetMs,
    action,
  } = rpoStanding(view, estate.contract.value, readAtMs);
  if (state === 'none') {
    return { status: 'skipped', message: 'it has no remote follower: there is no claim to keep' };
  }
  const budget = `at most ${formatDurationMs(budgetMs)}`;
  const record = view.claim?.value;
  if (record === undefined || state === 'unknown') {
    return { status: 'unknown', message: `nothing is known of its claim: ${reason}`, budget, asked: 'etcd' };
  }
  const evidence = {
    budget,
    asked: leader,
    sampleAgeMs: Math.max(0, readAtMs - Date.parse(record.at)),
    figure: lagMs === null ? 'lag unknown' : `${formatDurationMs(lagMs)} behind`,
  };
  const next = `capstan rpo show ${cluster}`;
  if (state === 'withdrawn') {
    return {
      ...evidence,
      status: 'fail',
      message: `the claim is withdrawn, action ${action}: ${reason ?? 'no reason given'}`,
      next,
    };
  }
  if (state === 'lapsed') {
    return {
      ...evidence,
      status: 'fail',
      message: `the claim has lapsed, action ${action}: nothing has proved it lately`,
      next,
    };
  }
  if (lagMs === null) return { ...evidence, status: 'unknown', message: 'the lag is not known', next };
  if (lagMs > budgetMs) return { ...evidence, status: 'fail', message: 'the lag is over its budget', next };
  return { ...evidence, status: 'pass', message: `advertised, and proved until ${record.validUntil}` };
}
