/** The commands of a rebalance as a person gives them, and what they answer. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type {
  RebalanceGoalData,
  RebalanceStartData,
  RebalanceStatusData,
} from '../../src/cli/schemas/rebalance.ts';

const run = promisify(execFile);
const capstan = join(import.meta.dirname, '..', '..', 'bin', 'capstan');
const BUDGET = ['--pause-budget', '5s'];

async function ask<T>(words: readonly string[]): Promise<T> {
  const { stdout } = await run(capstan, [...words, '-o', 'json'], { maxBuffer: 64 * 1_048_576 });
  return (JSON.parse(stdout) as { data: T }).data;
}

/** Copies the shards to c2 and compares both sides. Answers the operation and how long the copy alone took. */
export async function startMove(shards: readonly number[]): Promise<{ id: string; copyMs: number }> {
  const words = ['--shards', shards.join(','), '--to', 'c2', '--any-region', '--concurrent-copies', '4'];
  const { operation } = await ask<RebalanceStartData>(['rebalance', 'start', ...words, ...BUDGET, '--yes']);
  if (operation === null) throw new Error('nothing was begun');
  const { rebalances } = await ask<RebalanceStatusData>(['rebalance', 'status', operation.id]);
  const since = rebalances.flatMap(({ streams }) => streams.map((stream) => Date.parse(stream.since)));
  return { id: operation.id, copyMs: Math.max(...since) - Date.parse(operation.createdAt) };
}

/** Compares, then hands every stream over, or back. Answers each stream's pause as the command measured it. */
export async function handOver(goal: 'cutover' | 'reverse', id: string): Promise<readonly number[]> {
  await ask(['rebalance', 'verify', id, '--yes']);
  const { streams } = await ask<RebalanceGoalData>(['rebalance', goal, id, ...BUDGET, '--confirm=c1']);
  return streams.flatMap(({ pauseMs }) => pauseMs ?? []);
}

export const endMove = (goal: 'complete' | 'cancel', id: string): Promise<unknown> =>
  ask(['rebalance', goal, id, '--confirm=c1']);
