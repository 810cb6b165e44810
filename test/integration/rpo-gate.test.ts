import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { remoteLag } from '../../src/checks/remote-lag.ts';
import { runChecks } from '../../src/checks/run-checks.ts';
import { changeMap } from '../../src/controlplane/change-map.ts';
import { claimOfCluster, topologyRefusal } from '../../src/controlplane/rpo-gate-standing.ts';
import { readMap } from '../../src/controlplane/shard-map.ts';
import type { Contract, RpoAction } from '../../src/domain/contract.ts';
import type { ClaimRecord } from '../../src/domain/records.ts';
import { FenceState } from '../../src/domain/sqlstate.ts';
import { decideOnce } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { sized } from '../support/proof.ts';
import { LagSampler } from '../support/remote-lag.ts';

/** What each action does with decisions while the gate is on. */
const ACTIONS: readonly (readonly [RpoAction, Partial<Contract['rpo']>, string])[] = [
  ['degrade', { action: 'degrade' }, 'decided'],
  ['throttle', { action: 'throttle', throttle: { decisionsPerSecond: 7 } }, 'decided'],
  ['close', { action: 'close' }, FenceState.rpoLapsed],
];

/** A machine that does much else takes its time to make three members. */
const WAIT_MS = 90_000;

/** Quick: one action; the unit tests have the table of all. */
const SHOWN = sized({ full: ACTIONS, quick: ACTIONS.slice(1, 2) });

describe.each(SHOWN)('the gate’s action %s', (action, rpo, whileOn) => {
  let world: TestEstate;
  const paused = new Set<number>();

  beforeAll(async () => {
    world = await createTestEstate(TRIO, { rpo });
    world.startAll();
    await world.untilLeased('m1', WAIT_MS);
    await untilClaimed('advertised');
  }, 2 * WAIT_MS);
  beforeEach(() => {
    onTestFailed(async () => {
      process.stderr.write(await world.logs());
    });
  });
  afterAll(async () => {
    for (const pid of paused) process.kill(pid, 'SIGCONT');
    await world.stop();
  });

  const untilClaimed = (claim: string) =>
    world.until(`the claim is ${claim}`, (view) => claimOfCluster(view, Date.now()).claim === claim, WAIT_MS);
  const untilDecides = async (answer: string) => {
    const client = await world.connect('m1', 'gateway');
    await eventually(
      answer,
      async () => ((await decideOnce(client, 1)) === answer ? true : undefined),
      WAIT_MS,
    );
    return client;
  };
  const readiness = async () => {
    const { config, keys, port: etcd } = world;
    const { results } = await runChecks({ checks: [remoteLag], config, keys, etcd, region: undefined });
    return results[0]?.status;
  };

  const untilReads = (status: string) =>
    eventually(
      `readiness says ${status}`,
      async () => ((await readiness()) === status ? true : undefined),
      WAIT_MS,
    );

  /** Stops the remote follower's receiver: it answers nothing, but its connection stands. */
  async function pauseRemote(): Promise<() => void> {
    const client = await world.connect('m3');
    const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
    const pid = rows[0]?.pid;
    if (pid === undefined) throw new Error('m3 has no receiver');
    process.kill(pid, 'SIGSTOP');
    paused.add(pid);
    return () => {
      paused.delete(pid);
      process.kill(pid, 'SIGCONT');
    };
  }

  test(
    'is not touched by a change of the map: who leads goes on leading, and the claim stands',
    async () => {
      const seen: string[] = [];
      const watch = await world.port.watch(world.keys.claim(CLUSTER), {
        onSnapshot: () => undefined,
        onEvents: (events) => {
          for (const event of events)
            seen.push(event.kind === 'put' ? (JSON.parse(event.kv.value) as ClaimRecord).status : 'gone');
        },
      });
      const reader = await world.connect('m1');
      // The lag is looked at now and then: one change alone would mostly be missed.
      for (let change = 0; change < 30; change += 1) {
        const state = change % 2 === 0 ? 'sealed' : 'serving';
        const { map, shards } = await readMap(world.port, world.keys);
        const entry = shards.get(0);
        if (entry === undefined) throw new Error('there is no shard 0');
        const moves = [{ entry, cluster: CLUSTER, state } as const];
        const asked = { etcd: world.port, keys: world.keys, map, moves, actor: 'test', reason: 'a seal' };
        expect(await changeMap(asked)).toBeDefined();
        await eventually(`shard 0 is ${state}`, async () => {
          const { rows } = await reader.query<{ state: string }>(
            'select state from capstan.shard_authority where shard_id = 0',
          );
          return rows[0]?.state === state ? true : undefined;
        });
      }
      const before = seen.length;
      await eventually('the claim was published since', async () =>
        seen.length > before + 1 ? true : undefined,
      );
      await watch.close();
      expect(new Set(seen)).toEqual(new Set(['advertised']));
    },
    WAIT_MS,
  );

  test(
    'begins before the lag passes the budget, and all of it ends by itself',
    async () => {
      const { budgetMs } = world.contract.rpo;
      await untilDecides('decided');
      await untilReads('pass');
      const sampler = new LagSampler(world, {
        leader: await world.connect('m1'),
        follower: await world.connect('m3'),
      });
      const resume = await pauseRemote();
      const { claim } = await untilClaimed('withdrawn');
      expect(claim?.value).toMatchObject({
        action,
        decisionsPerSecond: rpo.throttle?.decisionsPerSecond ?? null,
        validUntil: null,
      });
      const client = await untilDecides(whileOn);
      await eventually(
        'a lag past the budget',
        async () => (sampler.samples.some(({ behindMs }) => behindMs > budgetMs + 1_000) ? true : undefined),
        WAIT_MS,
      );
      const answers = new Set<string>();
      for (let count = 0; count < 5; count += 1) answers.add(await decideOnce(client, 1));
      expect(answers.has('decided')).toBe(whileOn === 'decided');
      await untilReads('fail');
      expect(topologyRefusal(await world.view(), world.contract, Date.now())).toMatchObject({
        code: 'rpo_gate_on',
      });
      resume();
      await untilClaimed('advertised');
      const samples = await sampler.stop();
      expect(
        samples.filter((sample) => sample.claim === 'advertised' && sample.behindMs >= budgetMs),
      ).toEqual([]);
      expect(samples.some((sample) => sample.behindMs >= budgetMs)).toBe(true);
      await untilDecides('decided');
      await untilReads('pass');
      await world.until(
        'planned changes are allowed',
        (view) => topologyRefusal(view, world.contract, Date.now()) === undefined,
        WAIT_MS,
      );
    },
    2 * WAIT_MS,
  );

  test(
    'a claim ends with its agent: it lapses by its own time, then its key is gone',
    async () => {
      await untilClaimed('advertised');
      world.agent('m1').signal('SIGSTOP');
      const lapsesAtMs = Date.now() + world.contract.rpo.budgetMs;
      const late = new Set<string>();
      await eventually(
        'the key is gone',
        async () => {
          const view = await world.view();
          const nowMs = Date.now();
          if (nowMs >= lapsesAtMs) late.add(claimOfCluster(view, nowMs).claim);
          return view.claim === undefined ? true : undefined;
        },
        WAIT_MS,
      );
      expect([...late]).not.toContain('advertised');
      expect(await readiness()).not.toBe('pass');
      world.agent('m1').signal('SIGCONT');
      await untilClaimed('advertised');
      await untilDecides('decided');
    },
    2 * WAIT_MS,
  );
});
