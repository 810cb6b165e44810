/** Hosts of two clusters that lose their power, and what an operator does about it. */
import { findPostmaster } from '../../src/agent/postmaster.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { CapstanError, ExitCode } from '../../src/domain/errors.ts';
import type { DecidedPrefix } from '../../src/domain/records.ts';
import { decide } from '../../src/reservations/client.ts';
import { setLimit } from './reservation-commands.ts';
import { issuerOf } from './move-load.ts';
import type { TwoClusters } from './two-clusters.ts';

/** kill -9 of the agents and of their Postgres. */
export async function killHosts(world: TwoClusters, members: readonly string[]): Promise<void> {
  await Promise.all(members.map((member) => world.agent(member).end('SIGKILL')));
  for (const member of members) {
    const found = await findPostmaster(world.dataDir(member));
    if (found !== undefined) process.kill(found.pid, 'SIGKILL');
  }
}

/** Has a cluster led from madrid, whose other hosts are known to be off; answers what is kept. */
export async function failOverToMadrid(world: TwoClusters, cluster: string): Promise<DecidedPrefix> {
  const { port: etcd, keys } = world;
  const request = { etcd, keys, cluster, actor: 'test' };
  const { operation } = await runFailover({
    ...request,
    region: 'madrid',
    force: true,
    acceptLoss: 1_000_000,
    attestIsolated: 'the test has killed its hosts',
  }).catch((error: unknown) => {
    if (!(error instanceof CapstanError) || error.exit !== ExitCode.unknown) throw error;
    return resumeOperation({ etcd, keys, id: String(error.data['operation']), actor: 'test' });
  });
  return stepResult(operation, 'decide')?.['prefix'] as DecidedPrefix;
}

let attempts = 0;

/** What a leader says to a caller who takes it for the authority over a shard under this generation. */
export async function decideAt(
  world: TwoClusters,
  member: string,
  { shard, generation }: { readonly shard: number; readonly generation: number },
): Promise<string> {
  attempts += 1;
  const cluster = world.clusterOf(member);
  const view = world.view().clusters.get(cluster);
  const { term = 0 } = view?.authority?.value ?? {};
  const epoch = view?.membership?.value.epoch ?? 1;
  const client = await world.connect(member, 'gateway');
  try {
    const command = setLimit(`stray-${shard}-${attempts}`, 10n ** 9n, { issuer: issuerOf(shard) });
    const fence = { cluster, epoch, shard, generation, term };
    return (await decide(client, fence, [command], { deadlineMs: 3_000 })).kind;
  } finally {
    await world.disconnect(client);
  }
}

/** What each of these shards is to a member's own Postgres. */
export async function standingAt(
  world: TwoClusters,
  member: string,
  shards: readonly number[],
): Promise<readonly string[]> {
  const rows = await world.ask<{ standing: string }>(
    member,
    `select state || ' ' || generation as standing from capstan.shard_authority where shard_id = any ($1) order by shard_id`,
    [[...shards]],
  );
  return rows.map(({ standing }) => standing);
}

/** The head positions of these shards at a member. */
export async function headsAt(
  world: TwoClusters,
  member: string,
  shards: readonly number[],
): Promise<Readonly<Record<string, string>>> {
  const rows = await world.ask<{ shard: number; position: string }>(
    member,
    'select shard_id as shard, position::text from capstan.shard_head where shard_id = any ($1)',
    [[...shards]],
  );
  return Object.fromEntries(rows.map(({ shard, position }) => [String(shard), position]));
}

/** Which of these tokens a member has no outcome for. */
export async function absentAt(
  world: TwoClusters,
  member: string,
  decisions: readonly { readonly token: string }[],
): Promise<readonly string[]> {
  const rows = await world.ask<{ token: string }>(
    member,
    `select t.token from unnest($1::text[]) as t(token)
      where not exists (select 1 from capstan.reservation_token o where o.reservation_token = t.token)`,
    [decisions.map(({ token }) => token)],
  );
  return rows.map(({ token }) => token);
}
