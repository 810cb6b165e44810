import type { Write } from '../../src/etcd/port.ts';
import type { SimProcess } from './process.ts';
import type { World } from './world.ts';

/** What befalls whoever writes, or somebody else, at that very write. */
export const HOWS = [
  'killed-before',
  'killed-after',
  'paused',
  'paused-long',
  'reply-lost',
  'cut-off',
  'cut-to-etcd',
  'cut-from-etcd',
  'leader-gone',
  'target-gone',
  'etcd-silent',
] as const;
export type How = (typeof HOWS)[number];

/** `operation`: the journal's writes, whoever drives; `report`: what agents tell of themselves, and first leases. */
export const ONS = ['operation', 'report'] as const;

/** The n-th write of that kind after the operation was begun, and what happens there. */
export interface StepFault {
  readonly on: (typeof ONS)[number];
  readonly nth: number;
  readonly how: How;
}

/** What becomes of the request itself. */
export type Fate = 'lost' | 'reply-lost' | { readonly lateMs: number } | undefined;

export const stepFaultText = ({ on, nth, how }: StepFault): string => `${on}:${nth}:${how}`;

/** As `stepFaultText` writes it; undefined: it names none. */
export function parseStepFault(text: string): StepFault | undefined {
  const [onText, nthText, howText] = text.split(':');
  const on = ONS.find((one) => one === onText);
  const how = HOWS.find((one) => one === howText);
  const nth = Number(nthText);
  return on === undefined || how === undefined || !(nth >= 1) ? undefined : { on, nth, how };
}

/** Waits for its write, strikes once, and heals. */
export class StepStrike {
  readonly #world: World;
  readonly #fault: StepFault;
  #armed = false;
  #seen = 0;
  #heal: (() => void) | undefined;
  struck = false;

  constructor(world: World, fault: StepFault) {
    this.#world = world;
    this.#fault = fault;
  }

  arm(): void {
    this.#armed = true;
  }

  /** Asked as each request to write leaves. */
  onWrite(process: SimProcess, writes: readonly Write[]): Fate {
    if (!this.#armed || this.struck || !this.#counts(writes)) return undefined;
    this.#seen += 1;
    if (this.#seen < this.#fault.nth) return undefined;
    this.struck = true;
    const { scheduler } = this.#world;
    scheduler.note(`strike ${stepFaultText(this.#fault)}: ${process.name}`);
    // The request has left by then.
    scheduler.after(0, '', () => this.#strike(process));
    const forMs = this.#fault.how === 'paused-long' ? 60_000 : scheduler.random.between(3_000, 9_000);
    scheduler.after(forMs, '', () => this.heal());
    if (this.#fault.how === 'killed-before') return 'lost';
    return this.#fault.how === 'reply-lost' ? 'reply-lost' : undefined;
  }

  heal(): void {
    this.#heal?.();
    this.#heal = undefined;
  }

  #counts(writes: readonly Write[]): boolean {
    const { keys, cluster } = this.#world;
    const operation = writes.some(({ key }) => key.startsWith(keys.operations) || key.startsWith(keys.moves));
    if (this.#fault.on === 'operation') return operation;
    const reports = [
      keys.frozenReports(cluster),
      keys.stopReports(cluster),
      keys.salvagedReports(cluster),
      keys.restoredReports(cluster),
      keys.members(cluster),
      keys.promotionReport(cluster),
      keys.handoverReady(cluster),
      keys.handoverReport(cluster),
      keys.inSync(cluster),
      keys.moveReports,
    ];
    return !operation && writes.some(({ key }) => reports.some((prefix) => key.startsWith(prefix)));
  }

  /** Whom the operation was planned with; of no target it is a follower. */
  #planned(who: 'leader' | 'target'): string | undefined {
    const { operations, invariants, members, clusters, eyes } = this.#world;
    // Of a move: the leaders of both sides.
    if (clusters.length > 1)
      return eyes.of(clusters[who === 'leader' ? 0 : 1] ?? '').authority?.leader ?? undefined;
    // A change of a member doesn't hold its cluster.
    const plan = (operations.held?.value ?? operations.running[0])?.plan;
    const named =
      plan?.[who] ?? (who === 'target' ? plan?.['member'] : undefined) ?? invariants.authority?.leader;
    if (typeof named === 'string') return named;
    return members.find(({ member }) => member !== plan?.['leader'])?.member;
  }

  #strike(process: SimProcess): void {
    const world = this.#world;
    const { network } = world;
    const here = process.host.name;
    const cut = (...ways: readonly (() => void)[]) => {
      this.#heal = () => {
        for (const heal of ways) heal();
      };
    };
    switch (this.#fault.how) {
      case 'killed-before':
      case 'killed-after':
        process.kill();
        this.#heal = () => world.startAgent(here);
        return;
      case 'paused':
      case 'paused-long':
        process.pause();
        this.#heal = () => process.resume();
        return;
      case 'reply-lost':
        return;
      case 'cut-off':
        cut(network.cut(here, '*'), network.cut('*', here));
        return;
      case 'cut-to-etcd':
        cut(network.cut(here, 'etcd'));
        return;
      case 'cut-from-etcd':
        cut(network.cut('etcd', here));
        return;
      case 'leader-gone':
        this.#heal = world.loseMember(this.#planned('leader'));
        return;
      case 'target-gone':
        this.#heal = world.loseMember(this.#planned('target'));
        return;
      case 'etcd-silent':
        world.etcd.available = false;
        this.#heal = () => {
          world.etcd.available = true;
        };
    }
  }
}
