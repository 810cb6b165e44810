import { CapstanError } from '../../domain/errors.ts';
import { DEFAULT_SHARD_COUNT, shardOf } from '../../domain/shard.ts';
import { CLUSTERS, ETCD_NODES } from '../../sandbox/topology.ts';
import { drawCluster, hasFollower, type OpenCluster, openClusterIn, readViews } from './means/clusters.ts';
import { choose, diceOf } from './means/dice.ts';
import { acknowledge, failOver } from './means/failover.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { runAndKill } from './means/killed-command.ts';
import { bothWays, disturb } from './means/links.ts';
import { askMove, endMoves, PAUSE_BUDGET_MS, reachGoal, shardsToMove, startMove } from './means/moves.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { holdDead, holdPaused } from './means/processes.ts';
import { rejoinMembers } from './means/rejoin.ts';
import type { Fault, Ground, PlannedFault } from './types.ts';

const SHARDS_MAX = 3;
const COPIED_WITHIN_MS = 60_000;
const GOAL_WITHIN_MS = 90_000;
const FAILOVER_WITHIN_MS = 45_000;
const WHOLE_WITHIN_MS = 90_000;

interface Move {
  readonly id: string;
  readonly from: OpenCluster;
  readonly to: OpenCluster;
}

/** Struck: what was done to whom, and how it is undone. */
interface Struck {
  readonly target: string;
  readonly undo: () => Promise<void>;
}

/** Strikes while the shards are handed over; what becomes of that is told. */
type Strike = (ground: Ground, planned: PlannedFault, move: Move) => Promise<Struck>;

/** Moves shards of the run's own there and back, struck at the first hand-over; the rest once everything is well again. */
const moveFault = (
  about: Pick<Fault, 'name' | 'summary' | 'holdMs'> & { readonly strike: Strike },
): Fault => ({
  ...about,
  async inject(ground, planned) {
    const move = await begin(ground, planned);
    const end = async () => {
      await endMoves(ground);
    };
    return orUndo(
      async () => {
        const { id, from, to } = move;
        const struck = await about.strike(ground, planned, move);
        const detail = { cluster: from.name, to: to.name, operation: id, struck: struck.target, told: '' };
        const undone = { back: false };
        return inForce(
          from.name,
          detail,
          struck.undo,
          () => whole(ground, move),
          async () => {
            if (undone.back) return;
            const there = await handOver(ground, id, 'cutover');
            const back = await handOver(ground, id, 'reverse');
            detail.told = `callers waited for ${there} ms, and for ${back} ms on the way back`;
            undone.back = true;
          },
          end,
        );
      },
      () => whole(ground, move),
      end,
    );
  },
});

async function begin(ground: Ground, planned: PlannedFault): Promise<Move> {
  const from = await drawCluster(ground, planned, hasFollower);
  const other = CLUSTERS.find(({ name }) => name !== from.name);
  const to = openClusterIn((await readViews(ground)).get(other?.name ?? ''));
  if (to === undefined || !hasFollower(to))
    throw new NothingToInjectInto('no other cluster could receive shards');
  const own = new Set((ground.issuers ?? []).map((issuer) => shardOf(issuer, DEFAULT_SHARD_COUNT)));
  const shards = await shardsToMove(ground, { cluster: from.name, shards: [...own], most: SHARDS_MAX });
  const order = { shards, to: to.name, timeoutMs: COPIED_WITHIN_MS, signal: ground.signal };
  return { id: await startMove(ground, order), from, to };
}

async function handOver(ground: Ground, id: string, goal: 'cutover' | 'reverse'): Promise<number | string> {
  const streams = await reachGoal(ground, id, { goal, timeoutMs: GOAL_WITHIN_MS });
  return streams[0]?.pauseMs ?? '?';
}

async function whole(ground: Ground, { from, to }: Move): Promise<void> {
  for (const { name } of [from, to]) {
    await rejoinMembers(ground, name, WHOLE_WITHIN_MS);
    const view = (await readViews(ground)).get(name);
    if (view !== undefined) await acknowledge(ground, view);
  }
}

/** Asks for the hand-over and strikes as soon as it is under way. One that is stopped by it is asked for again later. */
async function strikeDuring(ground: Ground, { id }: Move, strike: () => Promise<void>): Promise<void> {
  let striking: Promise<void> | undefined;
  try {
    await askMove(ground, id, 'cutover', () => {
      striking ??= strike();
      // Awaited below, however long the hand-over goes on.
      striking.catch(() => undefined);
    });
  } catch (error) {
    if (!(error instanceof CapstanError)) throw error;
  } finally {
    await (striking ?? strike());
  }
}

const nothing = () => Promise.resolve();

/** Nothing but the move itself. */
export const moveThereAndBack = moveFault({
  name: 'move-there-and-back',
  summary: 'a few shards move to the other cluster and back, as planned',
  holdMs: { min: 1_000, max: 3_000 },
  strike: (_ground, _planned, { from }) => Promise.resolve({ target: from.name, undo: nothing }),
});

/** What its successor doesn't hold of the move is copied again, and what it was handed it has. */
export const moveAndKillLeader = moveFault({
  name: 'move-kill-leader',
  summary: 'kill -9 of the leader that gives or gets shards while they are handed over, and a failover',
  holdMs: { min: 3_000, max: 5_000 },
  async strike(ground, planned, move) {
    const { name, leader, term } = choose(diceOf(planned), [move.from, move.to]);
    let release = nothing;
    return orUndo(
      async () => {
        await strikeDuring(ground, move, async () => {
          ({ release } = await holdDead(ground, leader));
        });
        const from = { leader, term };
        const { signal } = ground;
        await failOver(ground, { cluster: name, from, force: false, timeoutMs: FAILOVER_WITHIN_MS, signal });
        return { target: leader, undo: () => release() };
      },
      () => release(),
    );
  },
});

/** Who comes next goes on with it, or backs it out. */
export const moveAndKillCli = moveFault({
  name: 'move-kill-cli',
  summary: 'kill -9 of capstan rebalance cutover while callers wait or right after; later it is gone on with',
  holdMs: { min: 1_000, max: 3_000 },
  async strike(ground, planned, { id, from }) {
    const mark = choose(diceOf(planned), [/seals/, /sealed/, /turn/] as const);
    const budget = ['--pause-budget', `${PAUSE_BUDGET_MS}ms`];
    await runAndKill(ground, ['rebalance', 'cutover', id, ...budget, `--confirm=${from.name}`], mark);
    return { target: `capstan rebalance cutover at ${mark.source}`, undo: nothing };
  },
});

/** Nothing arrives any more, or nobody hears that it has. */
export const moveAndCutLink = moveFault({
  name: 'move-cut-link',
  summary: 'the link between both regions cut while shards are handed over, and healed',
  holdMs: { min: 2_000, max: 5_000 },
  async strike(ground, planned, move) {
    const cut = choose(diceOf(planned), ['hold', 'lose'] as const);
    let undo = nothing;
    await strikeDuring(ground, move, async () => {
      undo = await disturb(ground, bothWays('new-york', 'madrid'), { cut });
    });
    return { target: `new-york - madrid (${cut})`, undo: () => undo() };
  },
});

/** Two of three members go on deciding; whoever asked the third doesn't know what came of it. */
export const movePausingEtcd = moveFault({
  name: 'move-pause-etcd',
  summary: 'SIGSTOP of one etcd member while shards are handed over, then SIGCONT',
  holdMs: { min: 2_000, max: 5_000 },
  async strike(ground, planned, move) {
    const node = diceOf(planned).pick(ETCD_NODES);
    if (node === undefined) throw new NothingToInjectInto('there is no etcd member');
    let undo = nothing;
    await strikeDuring(ground, move, async () => {
      ({ release: undo } = await holdPaused(ground, node.name));
    });
    return { target: node.name, undo: () => undo() };
  },
});
