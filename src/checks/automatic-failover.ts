import { countedFailovers, pauseInForce, standingOf } from '../controlplane/automatic/standing.ts';
import { formatDurationMs } from '../domain/duration.ts';
import { failoverPolicyOf, lapseAfterMs } from '../domain/failover-policy.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

/** A leader that dies is replaced without a person: nobody has paused that, and somebody is there to do it. */
export const automaticFailover: Check = {
  name: 'automatic-failover',
  claim: 'a leader that dies is replaced by its own region’s follower without a person',
  asks: 'etcd (contract, pause, block, in-sync record, agents’ heartbeats)',
  timeoutMs: 4_000,
  run: (context) => perCluster(context, judge),
};

async function judge({ context, estate, cluster, view }: ClusterUnderCheck): Promise<ClusterFinding> {
  const contract = estate.contract.value;
  const policy = failoverPolicyOf(contract);
  const { readAtMs } = await context.snapshot();
  const standing = standingOf(view, policy, readAtMs);
  const asked = 'etcd';
  if (standing === 'off')
    return {
      status: 'skipped',
      message: 'the contract leaves failovers to people (failover.automatic)',
      asked,
    };
  if (standing === 'paused') {
    const pause = pauseInForce(view.pause, readAtMs);
    return {
      status: 'fail',
      message: `paused by ${pause?.by ?? 'somebody'}: ${pause?.reason ?? ''}`,
      figure: `since ${pause?.since ?? 'unknown'}`,
      budget: `until ${pause?.until ?? 'it is ended'}`,
      asked,
      next: `capstan cluster unpause ${cluster}`,
    };
  }
  const counted = countedFailovers(view.tally, policy, readAtMs);
  const figure = `${counted.length} automatic failovers within ${formatDurationMs(policy.flap.withinMs)}`;
  const budget = `at most ${policy.flap.max}`;
  if (standing === 'blocked') {
    return {
      status: 'fail',
      message: `blocked since ${view.block?.value.since ?? 'unknown'}: ${view.block?.value.reason ?? ''}`,
      figure,
      budget,
      asked,
      next: `capstan cluster acknowledge ${cluster}`,
    };
  }
  const { heartbeatTtlMs, clockSkewMaxMs } = contract.liveness;
  const record = view.inSync?.value;
  const able = (record?.degraded === false ? record.voters : []).filter(({ member, incarnation }) => {
    const beat = view.heartbeats.get(member)?.value;
    return (
      beat?.state === 'following' &&
      beat.incarnation === incarnation &&
      readAtMs - Date.parse(beat.at) <= heartbeatTtlMs + clockSkewMaxMs
    );
  });
  if (able.length === 0) {
    return {
      status: 'fail',
      message: 'no recorded voter follows and has been heard of lately: nobody would take over',
      figure,
      budget,
      asked,
      next: `capstan member list --cluster ${cluster}`,
    };
  }
  return {
    status: 'pass',
    message: `${able.map(({ member }) => member).join(', ')} would take over once the lease has stood still for ${formatDurationMs(lapseAfterMs(contract))}`,
    figure,
    budget,
    asked,
  };
}
