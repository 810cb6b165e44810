import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

const IN_SYNC = new Set(['quorum', 'sync']);

/** Each confirmed decision is on disk at a same-region follower too: recorded, in force, and streaming. */
export const syncFollower: Check = {
  name: 'sync-follower',
  claim: 'each leader waits for its recorded same-region followers, which are in sync, and writes durably',
  asks: 'etcd, each leader’s Postgres and its agent’s last heartbeat',
  timeoutMs: 8_000,
  run: (context) => perCluster(context, durability),
};

async function durability(about: ClusterUnderCheck): Promise<ClusterFinding> {
  const { context, estate, cluster, view, leader } = about;
  const record = view.inSync?.value;
  const next = `capstan member list --cluster ${cluster}`;
  if (record === undefined)
    return { status: 'fail', message: 'no in-sync set is recorded', asked: 'etcd', next };
  const voters = record.voters.map(({ member }) => member);
  const budget = `${record.required} of ${voters.length} recorded voters in sync`;
  if (record.degraded || voters.length === 0) {
    const message = 'degraded: the leader is its own durable set; losing it loses confirmed decisions';
    return { status: 'fail', message, budget: 'a same-region follower', figure: 'none', asked: 'etcd', next };
  }
  const [own, { lease }] = await Promise.all([
    context.members.member({ cluster, member: leader }),
    context.members.leader({ cluster, member: leader }),
  ]);
  const beat = view.heartbeats.get(leader)?.value;
  const { readAtMs } = await context.snapshot();
  const sampleAgeMs = beat === undefined ? undefined : Math.max(0, readAtMs - Date.parse(beat.at));
  const evidence = { budget, asked: leader, ...(sampleAgeMs === undefined ? {} : { sampleAgeMs }) };
  const settings = [
    ...(own.fsync ? [] : ['fsync is off']),
    ...(own.fullPageWrites ? [] : ['full_page_writes is off']),
    ...(['on', 'remote_apply'].includes(own.synchronousCommit)
      ? []
      : [`synchronous_commit is ${own.synchronousCommit}`]),
    ...(lease === null || lease.syncNames === own.synchronousStandbyNames
      ? []
      : ['synchronous_standby_names is not what the lease was granted for']),
    ...(own.synchronousStandbyNames === '' ? ['synchronous_standby_names is empty'] : []),
  ];
  if (settings.length > 0) return { ...evidence, status: 'fail', message: settings.join('; '), next };
  const { heartbeatTtlMs, clockSkewMaxMs } = estate.contract.value.liveness;
  if (beat === undefined || sampleAgeMs === undefined || sampleAgeMs > heartbeatTtlMs + clockSkewMaxMs) {
    return {
      ...evidence,
      status: 'unknown',
      message: `${leader}'s agent has not been heard of lately`,
      next,
    };
  }
  const streaming = record.voters.filter(({ member, incarnation }) =>
    beat.followers.some(
      (follower) =>
        follower.member === member && follower.incarnation === incarnation && IN_SYNC.has(follower.syncState),
    ),
  );
  const figure = `${streaming.length} of ${voters.length} in sync`;
  const inSync = streaming.map(({ member }) => member);
  const silent = voters.filter((member) => !inSync.includes(member));
  if (streaming.length < record.required) {
    return {
      ...evidence,
      figure,
      status: 'fail',
      message: `not in sync: ${silent.join(', ')}; commits wait`,
      next,
    };
  }
  const rest = silent.length === 0 ? '' : `; not in sync: ${silent.join(', ')}`;
  const message = `decisions are flushed by ${inSync.join(', ')}${rest}`;
  return { ...evidence, figure, status: 'pass', message };
}
