import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { gatewayBackends, visit } from './means/backends.ts';
import { drawCluster, hasFollower } from './means/clusters.ts';
import { choose, diceOf } from './means/dice.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { type Held, holdPaused } from './means/processes.ts';
import type { Fault, Ground } from './types.ts';

const POLL_MS = 50;
const COMMIT_WITHIN_MS = 4_000;

type How = 'pg_cancel_backend' | 'pg_terminate_backend';

/** Both publish on the leader what the follower hasn't flushed: nobody may report it before it has. */
export const cancelCommit: Fault = {
  name: 'cancel-commit',
  summary: 'commits that wait for their paused follower are cancelled, or their backends terminated',
  holdMs: { min: 2_000, max: 7_000 },
  async inject(ground, planned) {
    const { name, leader, followers } = await drawCluster(ground, planned, hasFollower);
    const dice = diceOf(planned);
    const how = choose(dice, ['pg_cancel_backend', 'pg_terminate_backend'] as const);
    const follower = dice.pick(followers);
    if (follower === undefined) throw new NothingToInjectInto(`${name} has no synchronous follower`);
    const held = await holdPaused(ground, follower);
    return orUndo(() => cancelAllAlong({ ground, leader, follower, how, held }), held.release);
  },
};

/** Until it is healed, whatever comes to wait is cancelled too. */
async function cancelAllAlong(about: {
  readonly ground: Ground;
  readonly leader: string;
  readonly follower: string;
  readonly how: How;
  readonly held: Held;
}) {
  const { ground, leader, follower, how, held } = about;
  const stop = new AbortController();
  const detail = { leader, follower, how, cancelled: 0 };
  const first = Promise.withResolvers<void>();
  const cancelling = (async () => {
    while (!stop.signal.aborted) {
      // A server that is gone meanwhile has nothing that waits.
      detail.cancelled += await visit(ground, leader, (client) => cancelWaiting(client, how)).catch(() => 0);
      if (detail.cancelled > 0) first.resolve();
      await delay(POLL_MS);
    }
  })();
  const finish = async () => {
    stop.abort();
    await cancelling;
  };
  return orUndo(async () => {
    await Promise.race([first.promise, nothingWaited(leader, stop.signal)]);
    return inForce(follower, detail, finish, held.release);
  }, finish);
}

async function nothingWaited(leader: string, signal: AbortSignal): Promise<void> {
  await delay(COMMIT_WITHIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
  if (!signal.aborted) throw new NothingToInjectInto(`no commit of a gateway waits at ${leader}`);
}

async function cancelWaiting(client: Client, how: How): Promise<number> {
  let cancelled = 0;
  for (const pid of await gatewayBackends(client, { waiting: true })) {
    const { rows } = await client.query<{ done: boolean }>(`select ${how}(${pid}) as done`);
    if (rows[0]?.done === true) cancelled += 1;
  }
  return cancelled;
}
