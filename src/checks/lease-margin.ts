import { formatDurationMs } from '../domain/duration.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

/** The leader's lease is the authority's own, admits decisions, and outlasts its next renewal. */
export const leaseMargin: Check = {
  name: 'lease-margin',
  claim: 'each leader holds a lease of the present term and epoch that outlasts its next renewal',
  asks: 'each leader’s Postgres',
  timeoutMs: 8_000,
  run: (context) => perCluster(context, margin),
};

async function margin(about: ClusterUnderCheck): Promise<ClusterFinding> {
  const { context, estate, cluster, view, authority, leader } = about;
  const { renewEveryMs } = estate.contract.value.lease;
  const { lease } = await context.members.leader({ cluster, member: leader });
  const next = `capstan cluster show ${cluster}`;
  const budget = `at least ${formatDurationMs(renewEveryMs)} left`;
  const evidence = { budget, sampleAgeMs: 0, asked: leader };
  if (lease === null) {
    return {
      ...evidence,
      status: 'fail',
      message: 'there is no lease in Postgres: nothing can be decided',
      next,
    };
  }
  const figure = `${lease.leftMs} ms left, term ${lease.term}, epoch ${lease.epoch}`;
  const wrong = [
    ...(lease.term === authority.term ? [] : [`it is of term ${lease.term}, not ${authority.term}`]),
    ...(lease.epoch === view.membership?.value.epoch ? [] : [`it is of epoch ${lease.epoch}`]),
    ...(lease.leader === leader ? [] : [`it is ${lease.leader}'s`]),
    ...(lease.sameStart ? [] : ['it was granted before Postgres restarted']),
    ...(lease.begun ? [] : ['it was granted at a time that its server’s clocks have not reached']),
    ...(lease.admission === 'open'
      ? []
      : [`admission is closed: ${lease.admissionReason ?? 'no reason given'}`]),
    ...(lease.leftMs <= 0 ? ['it, or its RPO bound, has lapsed'] : []),
  ];
  if (wrong.length > 0) return { ...evidence, figure, status: 'fail', message: wrong.join('; '), next };
  if (lease.leftMs < renewEveryMs) {
    return {
      ...evidence,
      figure,
      status: 'fail',
      message: 'its renewals come late, or its RPO bound nears: decisions would stop before the next renewal',
      next,
    };
  }
  return { ...evidence, figure, status: 'pass', message: 'the lease outlasts its next renewal' };
}
