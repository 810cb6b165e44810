import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { shardOf } from '../../domain/shard.ts';
import type { Scope } from '../../reservations/types.ts';
import type { Random } from '../random.ts';
import { drawCluster, hasFollower, type OpenCluster, readSnapshot, readViews } from './means/clusters.ts';
import { diceOf } from './means/dice.ts';
import { DirectGateway } from './means/direct-gateway.ts';
import { abortOperationOf, failOver, fenceOnly } from './means/failover.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { rejoinMembers } from './means/rejoin.ts';
import type { Fault, Ground } from './types.ts';

const DECIDES_WITHIN_MS = 10_000;
const REFUSED_WITHIN_MS = 15_000;
const FAILOVER_WITHIN_MS = 45_000;
const REJOIN_WITHIN_MS = 60_000;
const POLL_MS = 50;
const DECIDED_BEFORE = 3;
const OWN_TRIES = 1_000;

/** The fence stands in Postgres, not in whoever asks: an old route confirms nothing, at the old leader or the new one. */
export const staleGateway: Fault = {
  name: 'stale-gateway',
  summary: 'a gateway that never looks again decides directly at members while the authority changes',
  holdMs: { min: 4_000, max: 9_000 },
  async inject(ground, planned) {
    const cluster = await drawCluster(ground, planned, hasFollower);
    const { name, leader, term } = cluster;
    const dice = diceOf(planned);
    const change = dice.chance(0.5) ? 'fence-abort' : 'failover';
    const gateway = new DirectGateway({ ground, member: leader, ...(await routeIn(ground, cluster, dice)) });
    gateway.start();
    const stop = () => gateway.stop();
    const rejoin = () => rejoinMembers(ground, name, REJOIN_WITHIN_MS);
    return orUndo(async () => {
      await until(
        () => gateway.told.decided >= DECIDED_BEFORE,
        DECIDES_WITHIN_MS,
        `nothing can be decided directly at ${leader}`,
      );
      if (change === 'fence-abort')
        await abortOperationOf(ground, await fenceOnly(ground, name), FAILOVER_WITHIN_MS);
      else {
        const { signal } = ground;
        const from = { leader, term };
        await failOver(ground, { cluster: name, from, force: true, timeoutMs: FAILOVER_WITHIN_MS, signal });
      }
      const after = (await readViews(ground)).get(name)?.authority?.value;
      gateway.alsoTry(after?.leader ?? leader);
      const { refused } = gateway.told;
      await until(
        () => gateway.told.refused > refused,
        REFUSED_WITHIN_MS,
        `${leader} answers nothing under the old term`,
      );
      const detail = { cluster: name, term, change, new_term: after?.term ?? null, told: gateway.told };
      return inForce(leader, detail, stop, ...(change === 'failover' ? [rejoin] : []));
    }, stop);
  },
};

interface Route {
  readonly scope: Scope;
  readonly issuer: string;
  readonly ownIssuer: boolean;
}

/** A shard of the cluster as its gateway would see it now, and an issuer there. */
async function routeIn(ground: Ground, { name, term }: OpenCluster, dice: Random): Promise<Route> {
  const { estate, shards, clusters } = await readSnapshot(ground);
  const epoch = clusters.get(name)?.membership?.value.epoch;
  const ownerOf = (issuer: string) => shards.get(shardOf(issuer, estate.value.shardCount))?.value;
  const run = randomBytes(4).toString('hex');
  const own = Array.from({ length: OWN_TRIES }, (_, n) => `stale-${run}-${n}`);
  const isHere = (one: string) => ownerOf(one)?.cluster === name;
  const known = dice.pick((ground.issuers ?? []).filter(isHere));
  const issuer = known ?? own.find(isHere);
  const owner = issuer === undefined ? undefined : ownerOf(issuer);
  if (issuer === undefined || owner === undefined || epoch === undefined)
    throw new NothingToInjectInto(`${name} owns no shard`);
  const { shard, generation } = owner;
  return {
    issuer,
    ownIssuer: known === undefined,
    scope: { cluster: name, epoch, shard, generation, term },
  };
}

async function until(is: () => boolean, timeoutMs: number, otherwise: string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!is()) {
    if (performance.now() > deadline) throw new NothingToInjectInto(otherwise);
    await delay(POLL_MS);
  }
}
