import { setTimeout as delay } from 'node:timers/promises';
import { choose, diceOf } from './means/dice.ts';
import { etcdLeader, moveEtcdLeader } from './means/etcd-members.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdDead, holdPaused } from './means/processes.ts';
import type { Fault, Ground } from './types.ts';

const CHANGES_WITHIN_MS = 15_000;
const POLL_MS = 100;

/** Leases are stretched by such a change, and requests in flight are lost with their outcome open. */
export const etcdLeaderChange: Fault = {
  name: 'etcd-leader',
  summary: 'etcd’s own leader changes: it is told to hand over, is killed or is paused',
  holdMs: { min: 2_000, max: 6_000 },
  async inject(ground, planned) {
    const dice = diceOf(planned);
    const how = choose(dice, ['move', 'kill', 'pause'] as const);
    const former = await etcdLeader(ground);
    if (how === 'move') {
      const to = dice.pick(former.others);
      if (to === undefined) throw new NothingToInjectInto('no other etcd member answers');
      await moveEtcdLeader(ground, former, to);
      return inForce(former.name, { how, leader: await nextLeader(ground, former.name) });
    }
    const held = await (how === 'kill' ? holdDead : holdPaused)(ground, former.name);
    return orUndo(
      async () => inForce(former.name, { how, leader: await nextLeader(ground, former.name) }, held.release),
      held.release,
    );
  },
};

async function nextLeader(ground: Ground, former: string): Promise<string> {
  const deadline = performance.now() + CHANGES_WITHIN_MS;
  for (;;) {
    const name = await etcdLeader(ground).then(
      (leader) => leader.name,
      () => former,
    );
    if (name !== former) return name;
    if (performance.now() > deadline) throw new NothingToInjectInto('no other etcd member takes over');
    await delay(POLL_MS);
  }
}
