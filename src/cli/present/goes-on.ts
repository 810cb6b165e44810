import { judgeAdoption } from '../../controlplane/automatic/adoption.ts';
import { standingOf } from '../../controlplane/automatic/standing.ts';
import { readClusterView } from '../../controlplane/cluster-view.ts';
import type { Keys } from '../../controlplane/keys.ts';
import type { HeldOperation } from '../../controlplane/operation/journal.ts';
import { readContract } from '../../controlplane/store.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import type { GoesOn } from '../schemas/operation.ts';

/** Who carries an unfinished operation on, and the command that does so now; null once it is finished. */
export async function readGoesOn(
  { etcd, keys }: { readonly etcd: EtcdReader; readonly keys: Keys },
  held: HeldOperation,
): Promise<GoesOn | null> {
  const { id, cluster } = held.value;
  const [contract, view] = await Promise.all([
    readContract(etcd, keys),
    readClusterView(etcd, keys, cluster),
  ]);
  const resume = `capstan operation resume ${id}`;
  const verdict = judgeAdoption(held, view?.promotion?.revision);
  if (verdict.kind === 'finished') return null;
  const driver = [...(view?.coordinators.values() ?? [])].find(({ value }) => value.operation === id)?.value;
  if (driver !== undefined)
    return { by: 'coordinator', why: `${driver.coordinator} drives it since ${driver.since}`, resume };
  if (verdict.kind === 'left') return { by: 'person', why: verdict.why, resume };
  const policy = failoverPolicyOf(contract);
  const standing = view === undefined ? 'off' : standingOf(view, policy, Date.now());
  return standing === 'on'
    ? {
        by: 'agents',
        why: `nobody drives it: an agent of ${cluster} adopts it after ${formatDurationMs(policy.adoptAfterMs)}`,
        resume,
      }
    : { by: 'person', why: `nobody drives it, and automatic failover of ${cluster} is ${standing}`, resume };
}
