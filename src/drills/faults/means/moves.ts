import { setTimeout as delay } from 'node:timers/promises';
import { currentActor } from '../../../controlplane/actor.ts';
import type { OperationProgress } from '../../../controlplane/operation/run.ts';
import type { StreamAnswer } from '../../../controlplane/rebalance/answers.ts';
import { driveRebalance } from '../../../controlplane/rebalance/drive-rebalance.ts';
import { readRebalancePlan } from '../../../controlplane/rebalance/read-plan.ts';
import { runRebalance } from '../../../controlplane/rebalance/run.ts';
import { connectSide } from '../../../controlplane/rebalance/verify/connect-side.ts';
import { postgresSides } from '../../../controlplane/rebalance/verify/postgres-sides.ts';
import type { MoveSides } from '../../../controlplane/rebalance/ports.ts';
import { CapstanError } from '../../../domain/errors.ts';
import type { MoveGoalKind } from '../../../domain/move-records.ts';
import { type EstateInHand, readSnapshot, withEstate } from './clusters.ts';
import { REASON, RETRY_MS } from './failover.ts';
import { nothingIfRefused, NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';

/** Where a busy machine doesn't keep the contract's own. */
export const PAUSE_BUDGET_MS = 6_000;
/** What no patience mends. */
const FINAL: ReadonlySet<string> = new Set([
  'move_differs',
  'operation_not_found',
  'operation_past_no_return',
]);

export interface MoveOrder {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Copies shards to another cluster, until both sides are equal; answers the operation. Refused: there is nothing to inject into. */
export const startMove = (
  site: Site,
  order: MoveOrder & { readonly shards: readonly number[]; readonly to: string },
): Promise<string> =>
  withSides(site, async (estate, sides) => {
    const { etcd, keys, config } = estate;
    const { shards, to, signal, timeoutMs } = order;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      try {
        const { plan } = await readRebalancePlan({
          etcd,
          keys,
          connect: connectSide({ config }),
          ask: { kind: 'named', shards, to },
          limits: { anyRegion: true, pauseBudgetMs: PAUSE_BUDGET_MS },
        });
        const { operation } = await runRebalance({
          etcd,
          keys,
          plan,
          sides,
          actor: currentActor(),
          reason: REASON,
        });
        return operation.id;
      } catch (error) {
        if (!(error instanceof CapstanError)) throw error;
        const id = error.data['operation'];
        // Begun and disturbed: the goals that follow go on with it.
        if (typeof id === 'string' && error.code !== 'shard_moving') return id;
        if (signal.aborted || performance.now() > deadline) throw nothingIfRefused(error);
        await delay(RETRY_MS);
      }
    }
  });

/** Asks once for a goal. Throws what stopped it. */
export const askMove = (
  site: Site,
  id: string,
  goal: MoveGoalKind,
  onProgress?: (progress: OperationProgress) => void,
): Promise<readonly StreamAnswer[]> =>
  withSides(site, async ({ etcd, keys }, sides) => {
    const bounds = goal === 'cutover' || goal === 'reverse' ? { pauseBudgetMs: PAUSE_BUDGET_MS } : {};
    const order = {
      etcd,
      keys,
      id,
      goal,
      sides,
      actor: currentActor(),
      reason: REASON,
      onProgress,
      ...bounds,
    };
    return (await driveRebalance(order)).streams;
  });

/** Asks for a goal until it is reached: what was left undone is compared first. Throws what stopped it last when the time is up. */
export async function reachGoal(
  site: Site,
  id: string,
  { goal, timeoutMs }: { readonly goal: MoveGoalKind; readonly timeoutMs: number },
): Promise<readonly StreamAnswer[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await askMove(site, id, goal);
    } catch (error) {
      if (!(error instanceof CapstanError) || FINAL.has(error.code) || performance.now() > deadline)
        throw error;
      await delay(RETRY_MS);
      if (goal === 'cutover') await askMove(site, id, 'verify').catch(ifCapstan);
    }
  }
}

function ifCapstan(error: unknown): void {
  if (!(error instanceof CapstanError) || FINAL.has(error.code)) throw error;
}

/** Ends every move that somebody left: the shards stay with whoever owns them. Answers which were ended. */
export async function endMoves(site: Site): Promise<readonly string[]> {
  const { moves } = await readSnapshot(site);
  const left = Map.groupBy(
    [...moves.values()].map(({ value }) => value),
    ({ operation }) => operation,
  );
  const ended: string[] = [];
  for (const [id, streams] of left) {
    const moved = streams.some(({ owner, to }) => owner === to);
    await askMove(site, id, moved ? 'complete' : 'cancel');
    ended.push(id);
  }
  return ended;
}

/** Of the shards that hold these issuers, some that a cluster owns. */
export async function shardsToMove(
  site: Site,
  about: { readonly cluster: string; readonly shards: readonly number[]; readonly most: number },
): Promise<readonly number[]> {
  const { shards } = await readSnapshot(site);
  const own = about.shards.filter((shard) => shards.get(shard)?.value.cluster === about.cluster);
  if (own.length === 0) throw new NothingToInjectInto(`${about.cluster} owns no shard that is decided on`);
  return own.slice(0, about.most);
}

const withSides = <T>(
  site: Site,
  use: (estate: EstateInHand, sides: () => Promise<MoveSides>) => Promise<T>,
): Promise<T> =>
  withEstate(site, async (estate) => {
    const { etcd, keys, config } = estate;
    const sides = postgresSides({ etcd, keys, connect: connectSide({ config }) });
    try {
      return await use(estate, () => Promise.resolve(sides));
    } finally {
      await sides.close();
    }
  });
