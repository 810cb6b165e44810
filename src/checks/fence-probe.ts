import { FenceState } from '../domain/sqlstate.ts';
import { decide } from '../reservations/client.ts';
import { perCluster, type ClusterFinding, type ClusterUnderCheck } from './per-cluster.ts';
import type { Check } from './types.ts';

const PROBE_MS = 2_000;

/**
 * The fence works: a decision under an old term is refused by each leader, as CP001. The probe carries no command, so
 * that even a broken fence could do nothing with it.
 */
export const fenceProbe: Check = {
  name: 'fence-probe',
  claim: 'a decision under an old term is refused by each leader',
  asks: 'each leader’s decide function, as an operator',
  timeoutMs: 8_000,
  run: (context) => perCluster(context, probe),
};

async function probe({
  context,
  estate,
  cluster,
  view,
  authority,
  leader,
}: ClusterUnderCheck): Promise<ClusterFinding> {
  const entry = [...estate.shards.values()]
    .map(({ value }) => value)
    .find((shard) => shard.cluster === cluster);
  const epoch = view.membership?.value.epoch;
  if (entry === undefined || epoch === undefined) {
    return { status: 'skipped', message: 'it owns no shard to probe' };
  }
  const { shard, generation } = entry;
  const scope = { cluster, epoch, shard, generation, term: authority.term - 1 };
  const answer = await context.members.with({ cluster, member: leader, role: 'operator' }, (client) =>
    decide(client, scope, [], { deadlineMs: PROBE_MS }),
  );
  const evidence = {
    asked: leader,
    sampleAgeMs: 0,
    budget: `${FenceState.staleTerm} for term ${scope.term} of shard ${shard}`,
  };
  if (answer.kind === 'decided') {
    return {
      ...evidence,
      figure: 'decided',
      status: 'fail',
      message: 'it decided under an old term: the fence is broken',
    };
  }
  if (answer.kind === 'unknown') {
    return { ...evidence, status: 'unknown', message: `no clear answer: ${answer.message}` };
  }
  const figure = answer.sqlState;
  if (answer.reason === 'busy') {
    return {
      ...evidence,
      figure,
      status: 'unknown',
      message: 'the shard was busy: its head row could not be locked',
    };
  }
  if (answer.reason !== 'staleTerm') {
    return { ...evidence, figure, status: 'fail', message: `refused for another reason: ${answer.message}` };
  }
  return { ...evidence, figure, status: 'pass', message: 'the old term is refused' };
}
