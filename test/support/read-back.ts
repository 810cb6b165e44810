import { Client } from 'pg';
import { vi } from 'vitest';
import { shardOf, DEFAULT_SHARD_COUNT } from '../../src/domain/shard.ts';
import type { ClusterSummary } from '../../src/cli/schemas/cluster.ts';
import type { ShardList } from '../../src/cli/schemas/map.ts';
import type { Desks } from './desk-client.ts';
import { type Evidence, judge, type Resolution, type ShardFacts, unknownTokens } from './oracle.ts';
import type { TestSandbox } from './sandbox.ts';

const SETTLES_WITHIN_MS = 30_000;

/** Which cluster a fresh sandbox gives an issuer's shard to: c1 the even ones, c2 the odd ones. */
export const clusterOf = (issuer: string): string =>
  shardOf(issuer, DEFAULT_SHARD_COUNT) % 2 === 0 ? 'c1' : 'c2';

/** Issuers of one cluster that no other test uses, each with a limit. */
export async function freshIssuers(
  desks: Desks,
  options: {
    readonly cluster: string;
    readonly count: number;
    readonly limit: string;
    readonly prefix: string;
  },
): Promise<string[]> {
  const issuers: string[] = [];
  for (let n = 0; issuers.length < options.count; n += 1) {
    const issuer = `${options.prefix}-${n}`;
    if (clusterOf(issuer) === options.cluster) issuers.push(issuer);
  }
  const desk = desks.all[0];
  for (const issuer of issuers) {
    await vi.waitFor(
      async () => {
        const answer = await desk?.setLimit({ issuer, limit: options.limit, token: 'limit' });
        if (answer?.status !== 200) throw new Error(`no limit for ${issuer}: ${JSON.stringify(answer)}`);
      },
      { timeout: SETTLES_WITHIN_MS, interval: 200 },
    );
  }
  return issuers;
}

export async function clusterState(sandbox: TestSandbox, cluster: string): Promise<ClusterSummary> {
  const { result } = await sandbox.capstan<ClusterSummary>(['cluster', 'show', cluster]);
  if (!result.ok) throw new Error(`cluster show ${cluster}: ${result.error?.message}`);
  return result.data;
}

export function postgresUrl({ environment }: TestSandbox, member: string, role: string): string {
  const url = environment.postgres[member]?.[role];
  if (url === undefined) throw new Error(`the sandbox has no ${role} at ${member}`);
  return url;
}

/** Who owns each shard, by the map as it is now. */
async function ownersIn(sandbox: TestSandbox): Promise<ReadonlyMap<number, string>> {
  const { result } = await sandbox.capstan<ShardList>(['shard', 'list']);
  if (!result.ok) throw new Error(`shard list: ${result.error?.message}`);
  return new Map(result.data.shards.map(({ shard, cluster }) => [shard, cluster]));
}

/** Reads everything back from the authorities and asks for each unknown token; answers what broke a promise. */
export async function verdict(sandbox: TestSandbox, desks: Desks): Promise<string[]> {
  const attempts = [...desks.history.attempts];
  const resolutions: Resolution[] = [];
  for (const token of unknownTokens(attempts)) resolutions.push(await settledResolution(desks, token));
  const shards: ShardFacts[] = [];
  const owners = await ownersIn(sandbox);
  const ownerOf = (issuer: string) => owners.get(shardOf(issuer, DEFAULT_SHARD_COUNT)) ?? 'nobody';
  const wanted = Map.groupBy(new Set(attempts.map(({ issuer }) => issuer)), ownerOf);
  for (const [cluster, issuers] of wanted) {
    const { leader } = await clusterState(sandbox, cluster);
    if (leader === null) throw new Error(`${cluster} has no leader`);
    const numbers = new Set(issuers.map((issuer) => shardOf(issuer, DEFAULT_SHARD_COUNT)));
    shards.push(...(await readShards(postgresUrl(sandbox, leader, 'reader'), [...numbers])));
  }
  const evidence: Evidence = { attempts, shards, resolutions };
  return judge(evidence);
}

async function settledResolution(
  desks: Desks,
  token: { readonly issuer: string; readonly token: string },
): Promise<Resolution> {
  const [first] = desks.all;
  if (first === undefined) throw new Error('there is no desk');
  return vi.waitFor(
    async () => {
      const { status, body } = await first.resolve(token);
      if (status === 404 && body['code'] === 'token_not_found') {
        return { ...token, status: 'not_found', commitToken: null };
      }
      if (status !== 200) throw new Error(`${token.token} does not resolve: ${JSON.stringify(body)}`);
      return { ...token, status: String(body['status']), commitToken: String(body['commit_token']) };
    },
    { timeout: SETTLES_WITHIN_MS, interval: 200 },
  );
}

/** Shards as a member holds them, all in one snapshot. */
export async function readShards(url: string, shards: readonly number[]): Promise<ShardFacts[]> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 20_000,
  });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const facts: ShardFacts[] = [];
    for (const shard of shards) facts.push(await readShard(client, shard));
    return facts;
  } finally {
    await client.end();
  }
}

type Row = Readonly<Record<string, string | null>>;
const text = (value: string | null | undefined): string => value ?? '';
const cents = (value: string | null | undefined): bigint | null => (value ? BigInt(value) : null);

async function readShard(client: Client, shard: number): Promise<ShardFacts> {
  const rows = async (sql: string): Promise<Row[]> => (await client.query<Row>(sql, [shard])).rows;
  const [head] = await rows('select position from capstan.shard_head where shard_id = $1');
  const lineage = await rows(
    'select * from capstan.lineage where shard_id = $1 order by first_position, generation, term',
  );
  const log = await rows('select * from capstan.outbox where shard_id = $1 order by position');
  const tokens = await rows('select * from capstan.reservation_token where shard_id = $1');
  const exposures = await rows('select * from capstan.issuer_exposure where shard_id = $1');
  const open = await rows(`select * from capstan.reservation where shard_id = $1 and status = 'confirmed'`);
  return {
    shard,
    head: BigInt(head?.['position'] ?? 0),
    lineage: lineage.map((row) => ({
      generation: Number(row['generation']),
      term: Number(row['term']),
      first: BigInt(row['first_position'] ?? 0),
    })),
    log: log.map((row) => ({
      position: BigInt(row['position'] ?? 0),
      generation: Number(row['generation']),
      term: Number(row['term']),
      event: text(row['event']),
      issuer: text(row['issuer_id']),
      token: text(row['reservation_token']),
      reservation: row['reservation_id'] ?? null,
      amount: cents(row['amount_cents']),
      reservedAfter: cents(row['reserved_after']),
      limitAfter: cents(row['limit_after']),
    })),
    tokens: tokens.map((row) => ({
      issuer: text(row['issuer_id']),
      token: text(row['reservation_token']),
      outcome: text(row['outcome']),
      position: BigInt(row['position'] ?? 0),
      generation: Number(row['generation']),
      term: Number(row['term']),
    })),
    exposures: exposures.map((row) => ({
      issuer: text(row['issuer_id']),
      limit: BigInt(row['limit_cents'] ?? 0),
      reserved: BigInt(row['reserved_cents'] ?? 0),
    })),
    open: open.map((row) => ({
      issuer: text(row['issuer_id']),
      reservation: text(row['reservation_id']),
      notional: BigInt(row['notional_cents'] ?? 0),
    })),
  };
}
