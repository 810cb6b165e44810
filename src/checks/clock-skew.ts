import { messageOf } from '../domain/errors.ts';
import { clusterNames } from './per-cluster.ts';
import type { Check, CheckContext, Finding } from './types.ts';

/** No member's wall clock is further from this machine's than the contract allows. */
export const clockSkew: Check = {
  name: 'clock-skew',
  claim: 'every member’s wall clock is within the contract’s skew of this machine’s',
  asks: 'every member’s Postgres',
  timeoutMs: 8_000,
  async run(context) {
    const { estate } = await context.snapshot();
    const { clockSkewMaxMs } = estate.contract.value.liveness;
    const places = clusterNames(estate).flatMap((cluster) => {
      const membership = estate.clusters.get(cluster)?.membership?.value.members ?? {};
      return Object.keys(membership).map((member) => ({ cluster, member }));
    });
    return Promise.all(places.map((place) => skewOf({ context, clockSkewMaxMs, ...place })));
  },
};

async function skewOf(options: {
  readonly context: CheckContext;
  readonly clockSkewMaxMs: number;
  readonly cluster: string;
  readonly member: string;
}): Promise<Finding> {
  const { context, clockSkewMaxMs, cluster, member } = options;
  const base = { subject: member, cluster, budget: `at most ${clockSkewMaxMs} ms`, asked: member };
  try {
    const { skewMs, skewErrorMs } = await context.members.member({ cluster, member });
    const evidence = { ...base, figure: `${skewMs} ms, give or take ${skewErrorMs} ms`, sampleAgeMs: 0 };
    if (Math.abs(skewMs) - skewErrorMs > clockSkewMaxMs) {
      return { ...evidence, status: 'fail', message: 'its clock is off: mend its time service' };
    }
    if (Math.abs(skewMs) + skewErrorMs > clockSkewMaxMs) {
      return { ...evidence, status: 'unknown', message: 'the answer took too long to tell' };
    }
    return { ...evidence, status: 'pass', message: 'its clock agrees' };
  } catch (error) {
    return { ...base, status: 'unknown', message: `could not be asked: ${messageOf(error)}` };
  }
}
