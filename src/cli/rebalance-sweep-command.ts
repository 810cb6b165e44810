import type { EtcdPort } from '../etcd/port.ts';
import type { ClusterOrphans } from '../controlplane/rebalance/sweep.ts';
import type { EstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { MoveOrphans, SweepReport } from '../domain/sweep-records.ts';
import type { Estate } from './estate.ts';
import { leaderConnections } from './move-sides.ts';
import type { Output } from './output.ts';
import { sweepSections } from './present/rebalance-sweep.ts';
import { confirmYes } from './prompt.ts';
import type { CommandResult } from './result.ts';
import type { RebalanceSweepData } from './schemas/rebalance.ts';

interface SweepMeans {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly output: Output;
  readonly cluster: string | undefined;
  readonly apply: boolean;
  readonly yes: boolean;
  readonly reason: string | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

type Row = RebalanceSweepData['clusters'][number];

/** `capstan rebalance sweep`: looks; with `apply` asks each leader's agent to drop what was found. */
export async function runSweepCommand(means: SweepMeans): Promise<CommandResult> {
  const { etcd, estate, cluster, apply, output, interactive, yes } = means;
  const { readOrphans, isSwept } = await import('../controlplane/rebalance/sweep.ts');
  const connect = await leaderConnections(estate);
  const { estate: snapshot, found } = await readOrphans({ etcd, keys: estate.keys, connect, cluster });
  const dirty = found.filter(({ orphans }) => !isSwept(orphans));
  if (!apply || dirty.length === 0)
    return resultOf(
      found.map((one) => rowOf(one, null, null)),
      false,
    );
  await output.preview(
    sweepSections({ changed: false, clusters: found.map((one) => rowOf(one, null, null)) }),
  );
  const names = dirty.map((one) => one.cluster).join(', ');
  await confirmYes({ interactive, yes, action: `drop what is listed on ${names}` });
  const rows = new Map(found.map((one) => [one.cluster, rowOf(one, null, null)]));
  for (const one of dirty) rows.set(one.cluster, await sweepOne(means, snapshot, one));
  return resultOf([...rows.values()], true);
}

async function sweepOne(means: SweepMeans, snapshot: EstateSnapshot, found: ClusterOrphans): Promise<Row> {
  const { etcd, estate, reason, wait, timeoutMs, signal } = means;
  const { keys } = estate;
  const [{ askForSweep, waitForSweep }, { currentActor }] = await Promise.all([
    import('../controlplane/rebalance/sweep.ts'),
    import('../controlplane/actor.ts'),
  ]);
  const asked = { etcd, keys, estate: snapshot, found, actor: currentActor(), reason };
  const request = await askForSweep(asked);
  if (!wait) return rowOf(found, request.id, null);
  const { cluster } = found;
  const report = await waitForSweep({ etcd, keys, cluster, request, timeoutMs, signal });
  return rowOf(found, request.id, report);
}

const rowOf = (
  { cluster, member, orphans, unknown }: ClusterOrphans,
  request: string | null,
  report: SweepReport | null,
): Row => ({
  cluster,
  member,
  orphans: copyOf(orphans),
  unknown,
  request,
  swept: report === null ? null : copyOf(report.swept),
  left: report === null ? [] : report.left.map((one) => ({ ...one })),
});

const copyOf = ({ subscriptions, slots, publications, shards }: MoveOrphans): Row['orphans'] => ({
  subscriptions: [...subscriptions],
  slots: [...slots],
  publications: [...publications],
  shards: [...shards],
});

const resultOf = (clusters: Row[], changed: boolean): CommandResult => {
  const data: RebalanceSweepData = { changed, clusters };
  return {
    kind: 'RebalanceSweep',
    data,
    names: clusters.flatMap(({ orphans }) => [
      ...orphans.subscriptions,
      ...orphans.slots,
      ...orphans.publications,
      ...orphans.shards.map((shard) => `shard/${shard}`),
    ]),
    warnings: clusters.flatMap(({ cluster, unknown }) =>
      unknown === null ? [] : [`what is left on ${cluster} is not known: ${unknown}`],
    ),
    view: () => sweepSections(data),
  };
};
