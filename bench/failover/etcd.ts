import { findEtcdProgram } from '../../src/sandbox/etcd-program.ts';
import type { Workshop } from './workshop.ts';

/** Starts three etcd members with the settings of Capstan's sandbox; answers their client ports. */
export async function startEtcd(workshop: Workshop, ports: readonly number[]): Promise<number[]> {
  const { path } = await findEtcdProgram();
  const members = ['e1', 'e2', 'e3'].map((name, index) => ({
    name,
    client: ports[2 * index] ?? 0,
    peer: `http://127.0.0.1:${ports[2 * index + 1]}`,
  }));
  for (const { name, client, peer } of members) {
    const home = await workshop.home(name);
    await workshop.start(home, path, [
      `--name=${name}`,
      `--data-dir=${home}/data`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${members.map((one) => `${one.name}=${one.peer}`).join(',')}`,
      '--initial-cluster-state=new',
      '--pre-vote',
      '--logger=zap',
      '--log-level=warn',
    ]);
  }
  return members.map(({ client }) => client);
}
