import type { OperationRecord } from '../../src/domain/operation-records.ts';
import { carryOn, nothingIsDecided, type Person, rebuildWhatIsShut } from './person.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { World } from './world.ts';

/** As an operator, who also carries on each change of a member that nobody drives, or gives it up. */
export const membershipPerson: Person = (world, healed) => {
  const { random } = world.scheduler;
  if (healed || random.chance(0.4)) {
    // A change waits for a leader, and so it may not keep anybody from making one.
    if (nobodyDrives(world, healed, (coordinator) => !changesMembers(coordinator))) {
      const active = world.operations.active;
      if (active !== undefined) carryOn(world, active);
      else if (nothingIsDecided(world)) world.coordinate({ kind: 'run', force: true, target: null });
    }
    if (nobodyDrives(world, healed, changesMembers)) {
      const id = random.pick(world.operations.running.filter(isUnderWay))?.id;
      if (id !== undefined) world.coordinate({ kind: random.chance(0.15) ? 'abort' : 'resume', id });
    }
  }
  rebuildWhatIsShut(world, healed);
};

/** Whether it is a change of a member; one doesn't hold its cluster. */
export const isUnderWay = ({ kind }: OperationRecord): boolean => kind === 'membership';

const changesMembers = ({ task }: SimCoordinator): boolean =>
  task.kind === 'membership' || ('id' in task && task.id.startsWith('membership-'));

const nobodyDrives = (
  world: World,
  healed: boolean,
  which: (coordinator: SimCoordinator) => boolean,
): boolean =>
  world.liveCoordinators.filter(which).every(({ process }) => process.state === 'paused' && !healed);
