import { setTimeout as delay } from 'node:timers/promises';
import { findEtcdProgram } from '../../src/sandbox/etcd-program.ts';
import type { Workshop } from './workshop.ts';

const HEALTHY_MS = 30_000;
const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 1_000;

/** Starts three etcd members with the settings of Capstan's sandbox and waits until they serve; answers their client ports. */
export async function startEtcd(
  workshop: Workshop,
  ports: readonly number[],
  signal: AbortSignal,
): Promise<number[]> {
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
  for (const { client } of members) await awaitHealthy(client, signal);
  return members.map(({ client }) => client);
}

async function awaitHealthy(port: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + HEALTHY_MS;
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    }).catch(() => undefined);
    if (response?.ok === true) return;
    if (performance.now() > deadline) throw new Error(`the etcd member on port ${port} does not serve`);
    await delay(POLL_MS);
  }
}
