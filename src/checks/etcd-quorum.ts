import type { EndpointStatus } from '../etcd/port.ts';
import type { Check, Finding } from './types.ts';

/** A majority of etcd answers, follows one leader, and answers a linearizable read within the contract's deadline. */
export const etcdQuorum: Check = {
  name: 'etcd-quorum',
  claim: 'a majority of etcd follows one leader and answers in time',
  asks: 'every etcd endpoint',
  timeoutMs: 6_000,
  async run({ etcd, snapshot, signal }) {
    const [endpoints, read] = await Promise.all([
      etcd.status({ timeoutMs: 3_000, signal }),
      timed(async () => (await snapshot()).estate.contract.value.deadlines.etcdMs),
    ]);
    return [judge(endpoints, { tookMs: read.tookMs, budgetMs: read.value })];
  },
};

function judge(
  endpoints: readonly EndpointStatus[],
  { tookMs, budgetMs }: { readonly tookMs: number; readonly budgetMs: number },
): Finding {
  const answering = endpoints.filter(({ reachable }) => reachable);
  const silent = endpoints.filter(({ reachable }) => !reachable).map(({ endpoint }) => endpoint);
  const leaders = new Set(answering.map(({ leaderId }) => leaderId));
  const evidence = {
    subject: 'etcd',
    figure: `${answering.length} of ${endpoints.length} answer; a read took ${Math.round(tookMs)} ms`,
    budget: `a majority, within ${budgetMs} ms`,
    sampleAgeMs: 0,
    asked: endpoints.map(({ endpoint }) => endpoint).join(', '),
  };
  const away = silent.length === 0 ? '' : `; silent: ${silent.join(', ')}`;
  if (answering.length * 2 <= endpoints.length) {
    return { ...evidence, status: 'fail', message: `no majority answers${away}` };
  }
  const [leader] = leaders;
  if (leaders.size !== 1 || leader === null || leader === undefined || leader === '0') {
    return { ...evidence, status: 'fail', message: `its members don't agree on one leader${away}` };
  }
  if (tookMs > budgetMs) return { ...evidence, status: 'fail', message: 'a linearizable read took too long' };
  return { ...evidence, status: 'pass', message: `a majority follows one leader${away}` };
}

async function timed<T>(read: () => Promise<T>): Promise<{ readonly value: T; readonly tookMs: number }> {
  const started = performance.now();
  const value = await read();
  return { value, tookMs: performance.now() - started };
}
