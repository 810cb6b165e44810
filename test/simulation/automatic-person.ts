import { judgeAdoption } from '../../src/controlplane/automatic/adoption.ts';
import { carryOn, isFree, type Person, rebuildWhatIsShut, resumeWhatHoldsNothing } from './person.ts';

/** Ends pauses, acknowledges blocks, and carries on only what agents must leave to a person: they do the rest. */
export const automaticPerson: Person = (world, healed) => {
  const { keys, scheduler, cluster } = world;
  const { random } = scheduler;
  const eager = healed || random.chance(0.15);
  if (eager && isFree(world, healed)) {
    const held = world.operations.held;
    if (world.etcd.get(keys.automaticBlock(cluster)) !== undefined) world.coordinate({ kind: 'acknowledge' });
    else if (world.etcd.get(keys.automaticPause(cluster)) !== undefined)
      world.coordinate({ kind: 'unpause' });
    else if (held !== undefined) {
      const promotion = world.etcd.get(keys.promotionReport(cluster))?.modRevision;
      const { id, error } = held.value;
      // Agents try it again and again; only a person can see that nobody will come who could lead.
      if (healed && error?.code === 'freeze_incomplete' && random.chance(0.3))
        world.coordinate({ kind: 'abort', id });
      else if (judgeAdoption(held, promotion).kind === 'left') carryOn(world, id);
    } else if (healed) resumeWhatHoldsNothing(world);
  }
  rebuildWhatIsShut(world, healed);
};
