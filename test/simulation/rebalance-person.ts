import type { MoveGoalKind } from '../../src/domain/move-records.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import { carryOn, type Person, rebuildWhatIsShut } from './person.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { World } from './world.ts';

/** A cluster has decided nothing for this long: a person begins a failover of it. */
const PATIENCE_MS = 9_000;

/** As an operator of both clusters, who also moves shards between them, one goal after the other, until it is done. */
export const rebalancePerson: Person = (world, healed) => {
  const { random } = world.scheduler;
  for (const cluster of world.clusters) {
    world.focus(cluster);
    if ((healed || random.chance(0.4)) && isFreeOf(world, healed, (one) => !moves(one))) {
      const active = world.operations.active;
      if (active !== undefined) carryOn(world, active);
      else if (decidesNothing(world, cluster)) world.coordinate({ kind: 'run', force: true, target: null });
    }
    rebuildWhatIsShut(world, healed);
  }
  if (world.scheduler.now < world.awayUntil) return;
  if (isFreeOf(world, healed, moves)) {
    if (healed || random.chance(0.8)) goOn(world, healed);
    return;
  }
  // One that waits for what doesn't come (clocks that say that a leader is silent, for one) is given up in the end.
  const stuck = healed && random.chance(0.04) ? rebalanceIn(world) : undefined;
  if (stuck !== undefined) end(world, stuck, streamsOf(world, stuck));
};

const moves = ({ task }: SimCoordinator): boolean =>
  task.kind === 'rebalance' || ('id' in task && task.id.startsWith('rebalance-'));

function isFreeOf(world: World, healed: boolean, which: (coordinator: SimCoordinator) => boolean): boolean {
  return world.liveCoordinators
    .filter(which)
    .every(({ process, task }) => (process.state === 'paused' && !healed) || task.kind === 'hold');
}

function decidesNothing({ toldAt, eyes, scheduler }: World, cluster: string): boolean {
  const own = [...(eyes.moves?.entries.values() ?? [])].filter((entry) => entry.cluster === cluster);
  return own.every(({ shard }) => scheduler.now - (toldAt.get(shard) ?? 0) > PATIENCE_MS);
}

/** The one that isn't over. */
export const rebalanceIn = (world: World): OperationRecord | undefined =>
  world.operations.running.find(({ kind }) => kind === 'rebalance');

export function beginRebalance(world: World): void {
  const { random } = world.scheduler;
  const [from, to] = ['c1', 'c2'];
  const shards = random.chance(0.3) ? [[0, 1], [2]] : [random.pick([[0], [0, 1], [0, 1, 2]]) ?? [0]];
  const pauseBudgetMs = random.pick([300, 1_000, 1_000, 3_000]) ?? 1_000;
  world.coordinate({ kind: 'rebalance', from, to, shards, pauseBudgetMs });
}

function goOn(world: World, healed: boolean): void {
  const { random } = world.scheduler;
  const operation = rebalanceIn(world);
  if (operation === undefined) {
    if (!healed && random.chance(world.counts.rebalancesBegun > 0 ? 0.1 : 0.7)) {
      world.counts.rebalancesBegun += 1;
      beginRebalance(world);
    }
    return;
  }
  const { id } = operation;
  const streams = streamsOf(world, operation);
  if (streams.some(({ paused }) => paused) && (healed || random.chance(0.5)))
    world.coordinate({ kind: 'hold', id, paused: false });
  if (operation.phase !== 'standing') {
    // Who can't be brought there is brought to an end.
    if (healed && random.chance(0.15)) end(world, operation, streams);
    else world.coordinate({ kind: 'resume', id });
    return;
  }
  if (healed && random.chance(0.3)) end(world, operation, streams);
  else world.coordinate({ kind: 'goal', id, goal: nextGoal(world, streams), pauseBudgetMs: undefined });
}

type Streams = NonNullable<World['eyes']['moves']>['streams'];

const streamsOf = (world: World, { id }: OperationRecord): Streams =>
  (world.eyes.moves?.streams ?? []).filter((stream) => stream.operation === id);

function nextGoal({ scheduler: { random } }: World, streams: Streams): MoveGoalKind {
  const away = streams.some(({ owner, from }) => owner !== from);
  const goals: readonly MoveGoalKind[] = away
    ? ['reverse', 'reverse', 'complete', 'verify', 'cutover']
    : ['cutover', 'cutover', 'cutover', 'cutover', 'cutover', 'copy', 'verify'];
  return random.pick(goals) ?? 'complete';
}

function end(world: World, { id }: OperationRecord, streams: Streams): void {
  const away = streams.some(({ owner, from }) => owner !== from);
  const goal = away || world.scheduler.random.chance(0.3) ? 'complete' : 'cancel';
  world.coordinate({ kind: 'goal', id, goal });
}
