import type { EtcdPort, Write } from '../../src/etcd/port.ts';
import { alterTransaction, type Planted } from './planted.ts';
import type { SimProcess } from './process.ts';
import { runSimClient } from './sim-client.ts';
import { SimEtcdClient } from './sim-etcd-client.ts';
import type { SimEnvironment } from './sim-postgres.ts';
import type { Fate } from './step-faults.ts';
import type { World } from './world.ts';

/** One process's way to etcd, with all that lies in wait on it. */
export function etcdClient(world: World, process: SimProcess, planted: Planted): SimEtcdClient {
  const { etcd, network, trouble, counts, keys } = world;
  return new SimEtcdClient({
    process,
    etcd,
    network,
    trouble,
    counts,
    alter: (sent) => alterTransaction(planted, { keys, cluster: world.cluster, sent }),
    onWrite: (sender, writes) =>
      world.strike?.onWrite(sender, writes) ?? world.ambush?.(writes) ?? ambushed(world, writes),
  });
}

function ambushed({ ambushes }: World, writes: readonly Write[]): Fate {
  for (const ambush of ambushes) {
    const fate = ambush(writes);
    if (fate !== undefined) return fate;
  }
  return undefined;
}

/** A caller with its gateway; what it is told is remembered against whoever told it. */
export function startDesk(
  world: World,
  about: { readonly process: SimProcess; readonly etcd: EtcdPort; readonly environment: SimEnvironment },
): void {
  void runSimClient({
    ...about,
    keys: world.keys,
    cluster: world.clusters[0] ?? '',
    shards: world.owners.length,
    observer: {
      asked: (kind) => {
        world.counts[kind] += 1;
      },
      told: (client, told) => {
        world.counts.told += 1;
        world.toldAt.set(told.shard, world.scheduler.now);
        world.eyes.told(client, told);
      },
    },
  });
}
