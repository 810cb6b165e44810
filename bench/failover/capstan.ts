import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Contract } from '../../src/domain/contract.ts';
import type { ClusterHistoryData } from '../../src/cli/schemas/cluster-history.ts';
import { failoverPolicyOf, lapseAfterMs } from '../../src/domain/failover-policy.ts';
import type { OperationDetail } from '../../src/cli/schemas/operation.ts';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import { SandboxPaths } from '../../src/sandbox/folders.ts';
import { openReserver } from '../support/reserver.ts';
import type { Estate, Product } from './estate.ts';
import { killEverythingIn } from './host-death.ts';

const run = promisify(execFile);
const capstan = join(import.meta.dirname, '..', '..', 'bin', 'capstan');
const CLUSTER = 'c1';
const SETTLED_MS = 10_000;
const POLL_MS = 150;

/** A whole sandbox as it is shipped: two clusters, two gateways, three etcd members; c1's leader is the one that dies. */
export const capstanProduct = (contract: Contract): Product => ({
  name: 'Capstan',
  includes:
    `the sign of death (${signOfDeath(contract)}), an automatic failover with every step proved and verified, ` +
    'the grant of the new lease, the routing, and one reserve through the gateway, checked against its issuer’s limit',
  open: openCapstan,
});

function signOfDeath(contract: Contract): string {
  const lapse = `the lease running out: ${lapseAfterMs(contract)} ms without a renewal`;
  const { deadAfterMs } = failoverPolicyOf(contract);
  return deadAfterMs === undefined
    ? lapse
    : `${deadAfterMs} ms without a word of the leader's agent while its host refuses connections; for a host that doesn't answer at all, which is not measured here, ${lapse}`;
}

async function openCapstan(signal: AbortSignal): Promise<Estate> {
  const name = `bench-failover-${process.pid}`;
  const close = async (): Promise<void> => {
    await run(capstan, ['sandbox', 'down', '--name', name]);
  };
  try {
    await run(capstan, ['sandbox', 'up', '--name', name], { signal });
    const { stdout } = await run(capstan, ['sandbox', 'env', '--name', name, '-o', 'json'], { signal });
    const { data } = JSON.parse(stdout) as { data: SandboxEnvironment };
    const { write, closeWriter } = openReserver(data);
    return {
      writers: [write],
      killLeader: async () => killEverythingIn(new SandboxPaths(name).home(await leaderOf(name))),
      account: () => accountOf(name),
      close: async () => {
        await closeWriter();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A busy machine may have made another member the leader since the start. */
async function leaderOf(name: string): Promise<string> {
  const leader = (await historyOf(name)).terms.at(-1)?.leader;
  if (leader === undefined || leader === null) throw new Error(`${CLUSTER} has no leader before its death`);
  return leader;
}

/** The journal's own times: where the pause went, step by step. */
async function accountOf(name: string): Promise<string> {
  const deadline = performance.now() + SETTLED_MS;
  let { terms } = await historyOf(name);
  // What it cost is recorded with the operation's end, a moment after the first decision.
  while (terms.at(-1)?.pauseMs === null && performance.now() < deadline) {
    await delay(POLL_MS);
    ({ terms } = await historyOf(name));
  }
  const last = terms.at(-1);
  if (last?.operation === null || last?.operation === undefined) return 'no failover';
  const { operation } = await ask<OperationShow>(name, ['operation', 'show', last.operation]);
  const steps = operation.steps.map(
    (step) => `${step.name} ${tookMs(step.startedAt, step.finishedAt ?? step.startedAt)} ms`,
  );
  return `${last.leader}, because ${last.reason}: ${steps.join(', ')}`;
}

const tookMs = (from: string, to: string): number => Date.parse(to) - Date.parse(from);

interface OperationShow {
  readonly operation: OperationDetail;
}

const historyOf = (name: string) => ask<ClusterHistoryData>(name, ['cluster', 'history', CLUSTER]);

async function ask<T>(name: string, words: readonly string[]): Promise<T> {
  const env = { ...process.env, CAPSTAN_SANDBOX: name };
  const { stdout } = await run(capstan, [...words, '-o', 'json'], { env });
  return (JSON.parse(stdout) as { data: T }).data;
}
