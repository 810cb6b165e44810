import { messageOf } from '../domain/errors.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

/** No member's wall clock is further from this machine's than the contract allows. */
export const clockSkew: Check = {
  name: 'clock-skew',
  claim: 'every member’s wall clock is within the contract’s skew of this machine’s',
  asks: 'every member’s Postgres',
  timeoutMs: 8_000,
  run: (context) => perCluster(context, skews),
};

async function skews({
  context,
  estate,
  cluster,
  view,
}: ClusterUnderCheck): Promise<readonly ClusterFinding[]> {
  const { clockSkewMaxMs } = estate.contract.value.liveness;
  const members = Object.keys(view.membership?.value.members ?? {});
  return Promise.all(
    members.map(async (member): Promise<ClusterFinding> => {
      const base = { subject: member, budget: `at most ${clockSkewMaxMs} ms`, asked: member };
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
    }),
  );
}
