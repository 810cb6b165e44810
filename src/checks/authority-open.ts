import { messageOf } from '../domain/errors.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

/** Exactly one member of each cluster can write: its open leader. A member that can't be asked could be another. */
export const authorityOpen: Check = {
  name: 'authority-open',
  claim: 'exactly one member of each cluster is writable: the open leader',
  asks: 'every member’s Postgres',
  timeoutMs: 8_000,
  run: (context) => perCluster(context, oneWriter, { closed: 'fail' }),
};

async function oneWriter({
  context,
  cluster,
  view,
  authority,
  leader,
}: ClusterUnderCheck): Promise<ClusterFinding> {
  const members = Object.keys(view.membership?.value.members ?? {});
  const answers = await Promise.all(
    members.map(async (member) => {
      try {
        const { inRecovery } = await context.members.member({ cluster, member });
        return { member, writable: !inRecovery, error: undefined };
      } catch (error) {
        return { member, writable: undefined, error: messageOf(error) };
      }
    }),
  );
  const writers = answers.filter(({ writable }) => writable === true).map(({ member }) => member);
  const silent = answers.filter(({ writable }) => writable === undefined);
  const evidence = {
    figure: `writable: ${writers.join(', ') || 'none'}; could not be asked: ${silent.length}`,
    budget: `only ${leader}, term ${authority.term}`,
    sampleAgeMs: 0,
    asked: members.join(', '),
  };
  const others = writers.filter((member) => member !== leader);
  if (others.length > 0) {
    return {
      ...evidence,
      status: 'fail',
      message: `${others.join(', ')} is writable and not the leader; the fence refuses its decisions`,
      next: `capstan member list --cluster ${cluster}`,
    };
  }
  if (answers.some(({ member, writable }) => member === leader && writable === false)) {
    return { ...evidence, status: 'fail', message: `the leader ${leader} is in recovery: it can't decide` };
  }
  if (!members.includes(leader)) {
    return {
      ...evidence,
      status: 'unknown',
      message: `the leader ${leader} is not among the recorded members: it was not asked`,
      next: `capstan cluster show ${cluster}`,
    };
  }
  if (silent.length > 0) {
    return {
      ...evidence,
      status: 'unknown',
      message: silent.map(({ member, error }) => `${member} could not be asked: ${error ?? ''}`).join('; '),
      next: `capstan member list --cluster ${cluster}`,
    };
  }
  return { ...evidence, status: 'pass', message: `${leader} alone is writable` };
}
