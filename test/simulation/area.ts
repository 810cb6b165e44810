import type { Contract } from '../../src/domain/contract.ts';
import type { MemberRole } from '../../src/domain/records.ts';
import { automaticPerson } from './automatic-person.ts';
import { AUTOMATIC_CONTRACT, CONTRACT } from './contracts.ts';
import { type Fault, FAULTS } from './faults.ts';
import { AUTOMATIC_FAULTS } from './faults-automatic.ts';
import { changeMember, MEMBERSHIP_FAULTS } from './faults-membership.ts';
import { REBALANCE_FAULTS } from './faults-rebalance.ts';
import { REGIONAL_FAULTS } from './faults-regional.ts';
import { SWITCHOVER_FAULTS } from './faults-switchover.ts';
import { membershipPerson } from './membership-person.ts';
import { operator, type Person } from './person.ts';
import type { Random } from './random.ts';
import { beginRebalance, rebalancePerson } from './rebalance-person.ts';
import type { World } from './world.ts';

export const AREAS = ['failover', 'automatic', 'switchover', 'regional', 'membership', 'rebalance'] as const;
export type AreaName = (typeof AREAS)[number];

export interface MemberSeed {
  readonly member: string;
  /** Default: `c1`. */
  readonly cluster?: string;
  readonly region: string;
  /** `spare`: configured, and no member yet. */
  readonly role: MemberRole | 'spare';
}

export const clusterOf = ({ cluster = 'c1' }: MemberSeed): string => cluster;

/** What a world is about: who is there, what comes, what a person does, and what each step of an operation is tried with. */
export interface Area {
  readonly contract: Contract;
  readonly members: (random: Random) => readonly MemberSeed[];
  /** By number: whose each shard is at first; default: two of `c1`. */
  readonly owners?: readonly string[];
  readonly faults: readonly Fault[];
  /** The faults that every seed may draw. */
  readonly always: readonly string[];
  /** The trouble lasts for at most this long. */
  readonly troubleMostMs: number;
  /** And for at least this; default: 3 s. */
  readonly troubleLeastMs?: number;
  readonly person: Person;
  /** Default: 2 s. */
  readonly personEveryMs?: number;
  /** With one fault at one step: what became of it can be seen after so long; default: 15 s. */
  readonly stepMs?: number;
  /** Brings about one operation, for a fault at one of its writes. */
  readonly begin: (world: World) => void;
  /** Where its operation writes seldom: how often at least, and that only every so many-th thing is tried in `npm test`. */
  readonly few?: { readonly writes: number; readonly every: number };
}

const voter = (member: string): MemberSeed => ({ member, region: 'here', role: 'voter' });
const pairOrThree = (random: Random) => ['m1', 'm2', ...(random.chance(0.5) ? ['m3'] : [])].map(voter);

/** A pair, and one or two in another region that follow it. */
const twoRegions = (random: Random): readonly MemberSeed[] => [
  voter('m1'),
  voter('m2'),
  ...['m3', ...(random.chance(0.4) ? ['m4'] : [])].map(
    (member) => ({ member, region: 'there', role: 'observer' }) as const,
  ),
];

/** A pair, and who may come in and go out. */
const changing = (random: Random): readonly MemberSeed[] => [
  voter('m1'),
  voter('m2'),
  { member: 'm3', region: 'here', role: random.pick(['spare', 'learner', 'voter'] as const) ?? 'spare' },
  ...(random.chance(0.4)
    ? [{ member: 'm4', region: 'there', role: random.pick(['spare', 'observer'] as const) ?? 'spare' }]
    : []),
];

const voterOf = (member: string, cluster: string): MemberSeed => ({ ...voter(member), cluster });

/** Two pairs; either may have an observer in another region. */
const twoClusters = (random: Random): readonly MemberSeed[] => {
  const there = (member: string, cluster: string): readonly MemberSeed[] =>
    random.chance(0.25) ? [{ member, region: 'there', role: 'observer', cluster }] : [];
  return [
    ...['m1', 'm2'].map((member) => voterOf(member, 'c1')),
    ...there('m3', 'c1'),
    ...['n1', 'n2'].map((member) => voterOf(member, 'c2')),
    ...there('n3', 'c2'),
  ];
};

const ALL: Readonly<Record<AreaName, Area>> = {
  failover: {
    contract: CONTRACT,
    members: pairOrThree,
    faults: FAULTS,
    always: ['failover'],
    troubleMostMs: 11_000,
    person: operator,
    begin: (world) => world.coordinate({ kind: 'run', force: true, target: null }),
  },
  automatic: {
    contract: AUTOMATIC_CONTRACT,
    members: pairOrThree,
    faults: AUTOMATIC_FAULTS,
    always: ['leader gone'],
    troubleMostMs: 18_000,
    person: automaticPerson,
    begin: (world) => world.loseLeader(12_000),
  },
  switchover: {
    contract: AUTOMATIC_CONTRACT,
    members: pairOrThree,
    faults: SWITCHOVER_FAULTS,
    always: ['switchover'],
    troubleMostMs: 16_000,
    person: automaticPerson,
    begin: (world) => world.coordinate({ kind: 'switchover', target: null, pauseBudgetMs: 1_000 }),
  },
  regional: {
    contract: AUTOMATIC_CONTRACT,
    members: twoRegions,
    faults: REGIONAL_FAULTS,
    always: ['region gone', 'region cut off'],
    troubleMostMs: 18_000,
    person: automaticPerson,
    begin: (world) => world.coordinate({ kind: 'regional', region: 'there', acceptLoss: 1_000 }),
  },
  membership: {
    contract: CONTRACT,
    members: changing,
    faults: MEMBERSHIP_FAULTS,
    always: ['member changed'],
    troubleMostMs: 16_000,
    person: membershipPerson,
    begin: (world) => changeMember(world, 'm3'),
    few: { writes: 3, every: 4 },
  },
  rebalance: {
    contract: CONTRACT,
    members: twoClusters,
    owners: ['c1', 'c1', 'c1', 'c2'],
    faults: REBALANCE_FAULTS,
    always: ['flip held up', 'coordinator killed at a request'],
    troubleLeastMs: 6_000,
    troubleMostMs: 15_000,
    person: rebalancePerson,
    personEveryMs: 1_000,
    stepMs: 25_000,
    begin: beginRebalance,
    few: { writes: 24, every: 8 },
  },
};

export const areaOf = (name: AreaName): Area => ALL[name];
