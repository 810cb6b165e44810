import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  RebalanceGoalData,
  RebalanceStartData,
  RebalanceSweepData,
} from '../../src/cli/schemas/rebalance.ts';
import type { ShardList } from '../../src/cli/schemas/map.ts';
import { DEFAULT_SHARD_COUNT, shardOf } from '../../src/domain/shard.ts';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { eventually } from '../support/etcd.ts';
import { History } from '../support/history.ts';
import { report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers, postgresUrl, verdict } from '../support/read-back.ts';
import { capstan, type CapstanRun, startSandbox, type TestSandbox } from '../support/sandbox.ts';
import { seedDecisions } from '../support/seed-decisions.ts';

const SHARDS = sized({ full: 16, quick: 6 });
/** Each decision is three rows: full size is two million. */
const DECISIONS_PER_SHARD = sized({ full: 41_700, quick: 300 });
const CALLERS = sized({ full: 4, quick: 2 });
const HAND_OVERS = sized({ full: ['cutover', 'reverse', 'cutover'], quick: ['cutover', 'reverse'] });
/** Where the command of each is killed. */
const KILLED_AT = sized({ full: [/sealed/, /sealed|turn/, /turn|follow/], quick: [/sealed/] });
/** For a machine that other tests keep busy. */
const BUDGET = ['--pause-budget', sized({ full: '2s', quick: '6s' })];
/** Commands wait in the gateways for 2.5 s, less what a busy machine takes until a pause is noticed. */
const UNHEARD_MS = 2_000;
/** Millions of rows are compared by a reader that yields to whoever decides. */
const COMPARED_WITHIN_MS = sized({ full: 1_200_000, quick: 240_000 });

let sandbox: TestSandbox;
let desks: Desks;

beforeAll(async () => {
  sandbox = await startSandbox();
  desks = openDesks(sandbox, new History());
});
afterAll(async () => {
  await desks?.close();
  await sandbox?.down();
});

const shardsOf = (issuers: readonly string[]) => [
  ...new Set(issuers.map((issuer) => shardOf(issuer, DEFAULT_SHARD_COUNT))),
];

/** Issuers of c1's shards, which hold rows beside theirs. */
async function seededIssuers(prefix: string, count: number): Promise<string[]> {
  const issuers = await freshIssuers(desks, { cluster: 'c1', count, limit: '900000', prefix });
  await asSuperuser('c1', (client) =>
    seedDecisions({
      client,
      shards: shardsOf(issuers),
      shardCount: DEFAULT_SHARD_COUNT,
      decisionsPerShard: DECISIONS_PER_SHARD,
    }),
  );
  return issuers;
}

async function asSuperuser<T>(cluster: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { leader } = await clusterState(sandbox, cluster);
  const client = new Client({ connectionString: postgresUrl(sandbox, String(leader), 'superuser') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const PASSES =
  /^(rpo_gate_on|cutover_backed_out|rebalance_partial|move_not_following|verification_missing|operation_stopped|etcd_unreachable)$/;

/** Hands over, or back: what a command that was killed left undone is compared first. */
async function handOver(goal: string, id: string): Promise<RebalanceGoalData> {
  await go(['rebalance', 'verify', id, '--yes']);
  return go<RebalanceGoalData>(['rebalance', goal, id, ...BUDGET, '--confirm=c1']);
}

/** Runs a command of a rebalance until it isn't refused for what passes by itself. */
async function go<T>(args: readonly string[]): Promise<T> {
  return eventually(
    args.join(' '),
    async () => {
      const { result } = await capstan<T>(args, {
        environment: { CAPSTAN_SANDBOX: sandbox.name },
        timeoutMs: COMPARED_WITHIN_MS,
      });
      if (result.ok) return result.data;
      expect([result.error?.code, result.error?.message]).toEqual([
        expect.stringMatching(PASSES),
        expect.any(String),
      ]);
      return undefined;
    },
    COMPARED_WITHIN_MS,
  );
}

async function start(issuers: readonly string[]): Promise<string> {
  const named = ['--shards', shardsOf(issuers).join(','), '--to', 'c2', '--any-region'];
  const { operation } = await go<RebalanceStartData>(['rebalance', 'start', ...named, ...BUDGET, '--yes']);
  if (operation === null) throw new Error('nothing was begun');
  return operation.id;
}

const pausesOf = ({ streams }: RebalanceGoalData) => streams.map(({ pauseMs }) => pauseMs ?? 0);

async function owners(issuers: readonly string[]): Promise<string[]> {
  const { result } = await sandbox.capstan<ShardList>(['shard', 'list']);
  const wanted = new Set(shardsOf(issuers));
  const own = result.data.shards.filter(({ shard }) => wanted.has(shard));
  return [...new Set(own.map(({ cluster, generation, state }) => `${cluster} ${generation} ${state}`))];
}

/** What is left on the leaders of moves that are over, by kind. */
async function leftBehind(): Promise<unknown[]> {
  const { result } = await sandbox.capstan<RebalanceSweepData>(['rebalance', 'sweep']);
  return result.data.clusters.map(({ orphans }) => Object.values(orphans).flat());
}

describe('shards that move under a load of both desks', () => {
  test('go there and back: no caller hears of it, and every decision is where the map says', async (context) => {
    const issuers = await seededIssuers('move', SHARDS);
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 5, name: 'move' });
    const id = await start(issuers);
    const pauses: number[] = [];
    for (const goal of HAND_OVERS) pauses.push(...pausesOf(await handOver(goal, id)));
    await go(['rebalance', 'complete', id, '--confirm=c1']);
    await load.stop();
    expect(await owners(issuers)).toEqual([sized({ full: 'c2 4 serving', quick: 'c1 3 serving' })]);
    expect(await verdict(sandbox, desks)).toEqual([]);
    const unheard = pauses.every((pauseMs) => pauseMs < UNHEARD_MS);
    const heard = desks.history.attempts.filter(({ kind }) => kind !== 'ok');
    expect(unheard ? heard : []).toEqual([]);
    expect(await leftBehind()).toEqual([[], []]);
    report(
      context,
      `${SHARDS} shards, ${SHARDS * DECISIONS_PER_SHARD * 3} rows; pauses ${pauses.join(' ')} ms; ${desks.history.summary()}`,
    );
  }, 900_000);

  test('a difference between both sides is named, and nothing is handed over', async () => {
    const issuers = await seededIssuers('differs', 1);
    const [shard] = shardsOf(issuers);
    const id = await start(issuers);
    await asSuperuser('c2', (client) =>
      client.query(
        `set session_replication_role = replica;
         update capstan.reservation set notional_cents = notional_cents + 1
           where (shard_id, reservation_id) in (select shard_id, min(reservation_id) from capstan.reservation
             where shard_id = ${shard} group by shard_id)`,
      ),
    );
    const verified = await run(['rebalance', 'verify', id, '--yes']);
    const cutover = await run(['rebalance', 'cutover', id, ...BUDGET, '--confirm=c1']);
    expect([verified.result.ok, cutover.result.ok]).toEqual([false, false]);
    expect(JSON.stringify(cutover.result)).toContain('move_differs');
    expect(await owners(issuers)).toEqual(['c1 1 serving']);
    await go(['rebalance', 'cancel', id, '--confirm=c1']);
    expect(await leftBehind()).toEqual([[], []]);
  }, 300_000);

  test('a hand-over whose command is killed is gone on with by the next, and a shard is never left without an owner', async (context) => {
    const issuers = await seededIssuers('killed', 2);
    const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed: 6, name: 'killed' });
    const id = await start(issuers);
    for (const [round, mark] of KILLED_AT.entries()) {
      const goal = HAND_OVERS[round] ?? 'cutover';
      await killedAt(['rebalance', goal, id, ...BUDGET, '--confirm=c1'], mark);
      await handOver(goal, id);
    }
    await go(['rebalance', 'complete', id, '--confirm=c1']);
    await load.stop();
    expect(await owners(issuers)).toEqual([expect.stringMatching(/^c2 \d+ serving$/)]);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${KILLED_AT.length} commands killed; ${desks.history.summary()}`);
  }, 600_000);
});

const run = (args: readonly string[]): Promise<CapstanRun<Record<string, unknown>>> => sandbox.capstan(args);

/** Kills the command as soon as it says what is matched. */
async function killedAt(args: readonly string[], mark: RegExp): Promise<void> {
  const kill = new AbortController();
  await capstan(args, {
    environment: { CAPSTAN_SANDBOX: sandbox.name },
    signal: kill.signal,
    onStderr: (text) => {
      if (mark.test(text)) kill.abort();
    },
  }).catch(() => undefined);
}
