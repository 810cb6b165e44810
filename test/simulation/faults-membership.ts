import type { MembershipAction } from '../../src/controlplane/membership/plan-types.ts';
import type { InSyncRecord } from '../../src/domain/records.ts';
import { type Fault, FAULTS } from './faults.ts';
import { isUnderWay } from './membership-person.ts';
import type { World } from './world.ts';

/** People who add, promote and remove members, change their minds and take each other's work over, amid all else. */
export const MEMBERSHIP_FAULTS: readonly Fault[] = [
  ...FAULTS,
  {
    name: 'member changed',
    weight: 9,
    inject: (world) => {
      changeMember(world, world.anyMember());
      return () => undefined;
    },
  },
  {
    name: 'change given up',
    weight: 3,
    inject: (world) => {
      changeMember(world, world.anyMember());
      world.scheduler.after(10 ** world.scheduler.random.between(1.3, 3.9), '', () => {
        const id = world.scheduler.random.pick(world.operations.running.filter(isUnderWay))?.id;
        if (id !== undefined) world.coordinate({ kind: 'abort', id });
      });
      return () => undefined;
    },
  },
  {
    name: 'change taken over',
    weight: 3,
    inject: (world) => {
      const id = world.scheduler.random.pick(world.operations.running.filter(isUnderWay))?.id;
      if (id === undefined) return undefined;
      world.coordinate({ kind: 'resume', id });
      return () => undefined;
    },
  },
  {
    name: 'voter removed as it is recorded',
    weight: 3,
    leastMs: 6_000,
    inject: (world) => {
      const { keys, cluster, members, invariants } = world;
      // While a failover counts on what a member has frozen with, nobody may throw that away.
      if (invariants.authority?.phase !== 'open') return undefined;
      const followers = members.filter(({ member }) => member !== invariants.authority?.leader);
      const member = world.scheduler.random.pick(followers)?.member;
      if (member === undefined || roleOf(world, member) !== 'voter') return undefined;
      world.rebuild(member);
      world.ambush = (writes) => {
        const write = writes.find(({ kind, key }) => kind === 'put' && key === keys.inSync(cluster));
        if (write?.kind !== 'put') return undefined;
        const { incarnation } = world.memoryOf(member).value;
        const { voters } = JSON.parse(write.value) as InSyncRecord;
        if (!voters.some((voter) => voter.incarnation === incarnation)) return undefined;
        world.ambush = undefined;
        world.scheduler.after(0, '', () => changeMember(world, member));
        return { lateMs: world.scheduler.random.between(5, 500) };
      };
      return () => {
        world.ambush = undefined;
      };
    },
  },
];

/** By what it is now: who is out comes in, who is in goes out, and a learner does either. */
export function changeMember(world: World, member: string): void {
  const { random } = world.scheduler;
  const role = roleOf(world, member);
  const onLearner: MembershipAction = random.chance(0.5) ? 'promote' : 'remove';
  const action = role === undefined ? 'add' : role === 'learner' ? onLearner : 'remove';
  world.coordinate({
    kind: 'membership',
    action,
    member,
    region: world.regionOf(member) ?? '',
    asLearner: random.chance(0.2),
    acceptDegraded: random.chance(0.3),
  });
}

const roleOf = ({ invariants }: World, member: string) => invariants.membership?.members[member]?.role;
