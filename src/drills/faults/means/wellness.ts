import { messageOf } from '../../../domain/errors.ts';
import { shardOf } from '../../../domain/shard.ts';
import { clusterCondition } from '../../../sandbox/cluster-condition.ts';
import { inspectProcesses, postgresStateOf } from '../../../sandbox/inspect.ts';
import { readIssuersFile, type SeedIssuer } from '../../../sandbox/issuers.ts';
import { LinkClient } from '../../../sandbox/link/client.ts';
import { isDisturbed } from '../../../sandbox/link/link.ts';
import { PortName, portOf } from '../../../sandbox/state.ts';
import { CLUSTERS, ETCD_NODES, MEMBER_NODES } from '../../../sandbox/topology.ts';
import { visit } from './backends.ts';
import { readSnapshot } from './clusters.ts';
import { hasFullDisk } from './disks.ts';
import { clockIsStepped } from './clocks.ts';
import { standingOf } from './rejoin.ts';
import type { Site } from './site.ts';

const ASK_TIMEOUT_MS = 3_000;

/** The first thing that isn't as it was before any fault; undefined: all is. Changes nothing, and never throws. */
export async function whatIsNotWell(site: Site): Promise<string | undefined> {
  const checks = [processes, links, etcd, clusters, members, decisions];
  try {
    for (const check of checks) {
      const missing = await check(site);
      if (missing !== undefined) return missing;
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

type Missing = string | undefined;

async function processes({ paths }: Site): Promise<Missing> {
  for (const one of await inspectProcesses(paths)) {
    const { name, kind } = one.node;
    if (one.state !== 'running') return `${name} is ${one.state}`;
    if (kind !== 'member') continue;
    if (await hasFullDisk(one)) return `the disk of ${name} is full`;
    const postgres = postgresStateOf(one);
    if (postgres !== 'running') return `the Postgres of ${name} is ${postgres}`;
  }
  return undefined;
}

async function links({ paths, state }: Site): Promise<Missing> {
  const disturbed = (await new LinkClient(paths, state).show()).find((link) => isDisturbed(link, state));
  return disturbed === undefined
    ? undefined
    : `the link from ${disturbed.from} to ${disturbed.to} is disturbed`;
}

async function etcd({ state }: Site): Promise<Missing> {
  for (const { name } of ETCD_NODES) {
    const response = await fetch(`http://127.0.0.1:${portOf(state, PortName.etcdClient(name))}/health`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    }).catch(() => undefined);
    const health =
      response?.ok === true ? ((await response.json()) as { health?: string }).health : undefined;
    if (health !== 'true') return `${name} is not healthy`;
  }
  return undefined;
}

async function clusters(site: Site): Promise<Missing> {
  const views = (await readSnapshot(site)).clusters;
  for (const plan of CLUSTERS) {
    const view = views.get(plan.name);
    if (view?.activeOperation !== undefined) return `${view.activeOperation.value} holds ${plan.name}`;
    const { missing, warnings } = clusterCondition(view, plan);
    const first = missing ?? warnings[0];
    if (first !== undefined) return first;
    const part = plan.members.find((member) => standingOf(view, member) !== 'whole');
    if (part !== undefined) return `${part.name} is not whole yet`;
    const leader = view?.authority?.value.leader;
    if (typeof leader === 'string' && (await clockIsStepped(site, leader)))
      return `the clock of ${leader} is stepped`;
  }
  return undefined;
}

async function members(site: Site): Promise<Missing> {
  for (const { name } of MEMBER_NODES)
    await visit(site, name, (client) => client.query('select 1')).catch((error: unknown) => {
      throw new Error(`${name} does not answer: ${messageOf(error)}`);
    });
  return undefined;
}

/** Each gateway decides in each cluster: a seeded issuer's first limit once more, which its token answers unchanged. */
async function decisions(site: Site): Promise<Missing> {
  const { estate, shards } = await readSnapshot(site);
  const issuers = await readIssuersFile(site.paths.issuers);
  for (const { name } of CLUSTERS) {
    const issuer = issuers.find(
      ({ issuerId }) => shards.get(shardOf(issuerId, estate.value.shardCount))?.value.cluster === name,
    );
    // A seed of the user's own may have none there; what the cluster's records say has been looked at.
    if (issuer === undefined) continue;
    for (const { region, url } of site.environment.gateways) {
      const status = await decideAgain(site, url, issuer);
      if (!DECIDED.has(status))
        return `the gateway of ${region} does not decide in ${name} (${status === 0 ? 'no answer' : status})`;
    }
  }
  return undefined;
}

/** 422: the token was decided with another limit, by an earlier seed. */
const DECIDED: ReadonlySet<number> = new Set([200, 201, 422]);

async function decideAgain(
  { environment }: Site,
  url: string,
  { issuerId, limit }: SeedIssuer,
): Promise<number> {
  try {
    const response = await fetch(`${url}/issuers/${encodeURIComponent(issuerId)}/limit`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${environment.keys['operator'] ?? ''}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ limit, reservation_token: `seed-${issuerId}` }),
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}
