import { setTimeout as delay } from 'node:timers/promises';
import { clusterState } from './read-back.ts';
import type { TestSandbox } from './sandbox.ts';

const LOSS_SHOWS_WITHIN_MS = 30_000;

export interface FailedOver {
  readonly from: string;
  readonly to: string;
  readonly oldTerm: number;
  readonly term: number;
  readonly pauseMs: number | null;
}

/** Runs a command that must succeed. */
export async function must(sandbox: TestSandbox, ...args: string[]): Promise<void> {
  const { result } = await sandbox.capstan(args);
  if (!result.ok)
    throw new Error(`capstan ${args.join(' ')}: ${result.error?.code}: ${result.error?.message}`);
}

/**
 * `capstan failover run` as an operator does it: a leader that was only just lost still looks healthy, and the refusal
 * says so; it is asked again until the loss shows.
 */
export async function failOver(
  sandbox: TestSandbox,
  cluster: string,
  ...flags: string[]
): Promise<FailedOver> {
  const before = await clusterState(sandbox, cluster);
  const pauseMs = await runFailover(sandbox, cluster, flags);
  const after = await clusterState(sandbox, cluster);
  if (before.leader === null || after.leader === null || before.term === null || after.term === null) {
    throw new Error(`${cluster} has no leader`);
  }
  return { from: before.leader, to: after.leader, oldTerm: before.term, term: after.term, pauseMs };
}

async function runFailover(
  sandbox: TestSandbox,
  cluster: string,
  flags: readonly string[],
): Promise<number | null> {
  const deadline = performance.now() + LOSS_SHOWS_WITHIN_MS;
  for (;;) {
    const run = ['failover', 'run', cluster, `--confirm=${cluster}`, ...flags];
    const { result } = await sandbox.capstan<{ readonly pauseMs: number | null }>(run);
    if (result.ok) return result.data.pauseMs;
    if (result.error?.code !== 'leader_healthy' || performance.now() > deadline) {
      const operations = await sandbox.capstan(['operation', 'list']);
      const members = await sandbox.capstan(['member', 'list', '--cluster', cluster]);
      const context = [result, operations.result.data, members.result.data].map((one) => JSON.stringify(one));
      throw new Error(`${run.join(' ')} failed: ${context.join('\n')}`);
    }
    await delay(300);
  }
}
