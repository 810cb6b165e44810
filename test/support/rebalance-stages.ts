/** The stages of a rebalance of one stream, each begun at a copy of an estate in which everything before it was done. */
import type { MoveGoalKind } from '../../src/domain/move-records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { type Fault, faultyEtcd, type FaultyEtcd } from './faulty-etcd.ts';
import { type GroundOptions, RebalanceGround } from './rebalance-ground.ts';
import { planFor } from './rebalance-plans.ts';

export type Stage = 'start' | Exclude<MoveGoalKind, 'copy' | 'verify'>;

/** The writes of an undisturbed coordinator of one stream, in order. */
export const WRITES: Readonly<Record<Stage, readonly string[]>> = {
  start: ['begin', 'register', 'copy', 'ready', 'cursor', 'verified', 'end'],
  cutover: ['ask', 'refreshed', 'seal', 'flip', 'pause', 'turned', 'end'],
  reverse: ['ask', 'cursor', 'verified', 'refreshed', 'seal', 'flip', 'pause', 'turned', 'end'],
  complete: ['ask', 'clean', 'stream-end', 'end'],
  cancel: ['ask', 'clean', 'stream-end', 'end'],
};
export const STAGES = Object.keys(WRITES) as readonly Stage[];
const BEFORE: Readonly<Record<Stage, readonly Stage[]>> = {
  start: [],
  cutover: ['start'],
  reverse: ['start', 'cutover'],
  complete: ['start', 'cutover'],
  cancel: ['start'],
};
const OWNER: Readonly<Record<Stage, string>> = {
  start: 'c1',
  cutover: 'c2',
  reverse: 'c1',
  complete: 'c2',
  cancel: 'c1',
};
const FLIPS: Readonly<Record<Stage, number>> = { start: 0, cutover: 1, reverse: 2, complete: 1, cancel: 0 };
const ENDING = { complete: 'done', cancel: 'aborted' } as const;
const TOUCHING_THE_MAP: ReadonlySet<string> = new Set(['seal', 'flip']);
/** More than lost replies cost. */
const BUDGET_MS = 20_000;
const SHARDS = 2;

export interface Write {
  readonly stage: Stage;
  readonly write: string;
}

export const ALL_WRITES: readonly Write[] = STAGES.flatMap((stage) =>
  WRITES[stage].map((write) => ({ stage, write })),
);
export const touchesTheMap = ({ write }: Write): boolean => TOUCHING_THE_MAP.has(write);
export const numberOf = (stage: Stage, write: string): number => WRITES[stage].indexOf(write) + 1;

/** As it is when nothing disturbs it: done, once, and nothing else. */
export function endOf(stage: Stage) {
  const ends = stage === 'complete' || stage === 'cancel';
  return {
    error: null,
    phase: ends ? ENDING[stage] : 'standing',
    outcomes: ends ? 1 : 0,
    streams: ends ? [] : ['follow'],
    left: !ends,
    served: [OWNER[stage]],
    starts: 1,
    unlogged: 0,
    generations: [1 + FLIPS[stage]],
  };
}

/** Makes scenes in one etcd, each in an estate of its own. What lies before a stage is done once, and copied. */
export class StageSet {
  readonly #etcd: EtcdPort;
  readonly #done = new Map<string, Promise<RebalanceGround>>();

  constructor(etcd: EtcdPort) {
    this.#etcd = etcd;
  }

  /** A scene in which everything before that stage has been done. */
  async ready(stage: Stage, options: GroundOptions = {}): Promise<Scene> {
    const before = BEFORE[stage];
    const ground =
      before.length === 0
        ? await RebalanceGround.open(this.#etcd, { shards: SHARDS, ...options })
        : await (await this.#after(before)).copy(options);
    return new Scene(this.#etcd, ground);
  }

  #after(stages: readonly Stage[]): Promise<RebalanceGround> {
    const name = stages.join(' ');
    const found = this.#done.get(name) ?? this.#do(stages);
    this.#done.set(name, found);
    return found;
  }

  async #do(stages: readonly Stage[]): Promise<RebalanceGround> {
    const ground = await RebalanceGround.open(this.#etcd, { shards: SHARDS });
    const scene = new Scene(this.#etcd, ground);
    for (const stage of stages) await scene.run(stage);
    await ground.close();
    return ground;
  }
}

/** One estate with one stream; whoever uses it disposes of it. */
export class Scene implements AsyncDisposable {
  readonly ground: RebalanceGround;
  readonly #etcd: EtcdPort;

  constructor(etcd: EtcdPort, ground: RebalanceGround) {
    this.#etcd = etcd;
    this.ground = ground;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.ground.close();
  }

  async run(stage: Stage, port: EtcdPort = this.#etcd) {
    const { ground } = this;
    if (stage !== 'start') return ground.drive(stage, port);
    return ground.start(port, { plan: await planFor(ground.movers, { over: { pauseBudgetMs: BUDGET_MS } }) });
  }

  /** What there is once a stage is done; each map change counts the entries of the log that belong to it. */
  async ending() {
    const { ground } = this;
    const { error, phase, outcomes } = await ground.operation();
    const log = await ground.actions();
    const logged = (action: string) => log.filter((entry) => entry === action).length;
    return {
      error,
      phase,
      outcomes: outcomes?.length,
      streams: (await ground.movers.streams()).map((one) => one.phase),
      left: (await ground.left()).length > 0,
      served: await ground.served(),
      starts: logged('rebalance.start'),
      unlogged: (await ground.mapVersion()) - 1 - logged('map.change'),
      generations: [...new Set((await ground.entries()).map(({ generation }) => generation))],
    };
  }

  faultAt(stage: Stage, write: string, fault: Fault): FaultyEtcd {
    return faultyEtcd(this.#etcd, (count) => (count === numberOf(stage, write) ? fault : undefined));
  }

  /** Holds one write until it is let go. */
  heldAt(stage: Stage, write: string) {
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<undefined>();
    const port = faultyEtcd(this.#etcd, (count) => {
      if (count !== numberOf(stage, write)) return undefined;
      reached.resolve();
      return go.promise;
    });
    return { port, reached: reached.promise, go: () => go.resolve(undefined) };
  }
}
