import { ETCD_NODES } from '../../sandbox/topology.ts';
import { diceOf } from './means/dice.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { PAST_LEASE_MS } from './means/lease.ts';
import { holdDead, holdPaused } from './means/processes.ts';
import type { Fault } from './types.ts';

/** No right can be renewed: every leader must stop deciding by itself, and all come back by themselves. */
export const etcdQuorum: Fault = {
  name: 'etcd-quorum',
  summary: 'two of three etcd members killed or paused for longer than every lease, then back',
  holdMs: { min: PAST_LEASE_MS, max: PAST_LEASE_MS + 4_000 },
  async inject(ground, planned) {
    const dice = diceOf(planned);
    const hold = dice.chance(0.5) ? holdDead : holdPaused;
    const spared = dice.pick(ETCD_NODES);
    const lost = ETCD_NODES.filter((node) => node !== spared).map(({ name }) => name);
    const [first = '', second = ''] = lost;
    const one = await hold(ground, first);
    return orUndo(async () => {
      const other = await hold(ground, second);
      const detail = { how: hold === holdDead ? 'killed' : 'paused', members: lost };
      return inForce(lost.join(', '), detail, one.release, other.release);
    }, one.release);
  },
};
