import { ETCD_NODES } from '../../../sandbox/topology.ts';
import { PortName, portOf } from '../../../sandbox/state.ts';
import { NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';

const ASK_TIMEOUT_MS = 1_500;

interface EtcdLeader {
  readonly name: string;
  readonly id: string;
  /** The others' ids. */
  readonly others: readonly string[];
}

/** The etcd member that says of itself that it leads, and another one agrees. */
export async function etcdLeader(site: Site): Promise<EtcdLeader> {
  const answers = await Promise.all(
    ETCD_NODES.map(async ({ name }) => {
      const status = (await ask(site, name, 'maintenance/status', {}).catch(() => undefined)) as
        | { leader: string; header: { member_id: string } }
        | undefined;
      return status === undefined ? [] : [{ name, id: status.header.member_id, leader: status.leader }];
    }),
  );
  const known = answers.flat();
  const leader = known.find(
    (one) => one.id === one.leader && known.some((other) => other !== one && other.leader === one.id),
  );
  if (leader === undefined) throw new NothingToInjectInto('no etcd member leads a quorum');
  return {
    name: leader.name,
    id: leader.id,
    others: known.filter((other) => other !== leader && other.leader === leader.id).map(({ id }) => id),
  };
}

/** Has the leader hand over to another member, as `etcdctl move-leader` does. */
export async function moveEtcdLeader(site: Site, from: EtcdLeader, to: string): Promise<void> {
  await ask(site, from.name, 'maintenance/transfer-leadership', { targetID: to });
}

async function ask({ state }: Site, etcd: string, call: string, body: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${portOf(state, PortName.etcdClient(etcd))}/v3/${call}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${etcd} answered ${call} with ${response.status}`);
  return response.json();
}
