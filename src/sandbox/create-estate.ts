import { loadContract } from '../config/contract.ts';
import { type EstateConfig, loadEstateConfig } from '../config/estate-config.ts';
import { createCluster } from '../controlplane/create-cluster.ts';
import { initEstate } from '../controlplane/init.ts';
import { Keys } from '../controlplane/keys.ts';
import { etcdFromConfig } from '../etcd/from-config.ts';
import type { SandboxPaths } from './folders.ts';
import { CLUSTERS } from './topology.ts';

/** `capstan init` and `capstan cluster create`, by the same operations; both change nothing the second time. */
export async function createEstate(paths: SandboxPaths, actor: string): Promise<void> {
  const config = await firstMembers(paths);
  const contract = await loadContract(config.contract);
  const keys = new Keys(config.estate);
  const etcd = await etcdFromConfig(config);
  try {
    await initEstate({ etcd, keys, config, contract, actor });
    for (const { name: cluster } of CLUSTERS) await createCluster({ etcd, keys, config, cluster, actor });
  } finally {
    etcd.close();
  }
}

/** The configuration as it was when the sandbox was made: who came later is taken in by `capstan member add`. */
async function firstMembers(paths: SandboxPaths): Promise<EstateConfig> {
  const config = await loadEstateConfig(paths.config);
  const clusters = CLUSTERS.flatMap(({ name, members }) => {
    const configured = config.clusters[name];
    if (configured === undefined) return [];
    const first = Object.entries(configured.members).filter(([member]) =>
      members.some((one) => one.name === member),
    );
    return [[name, { ...configured, members: Object.fromEntries(first) }] as const];
  });
  return { ...config, clusters: Object.fromEntries(clusters) };
}
