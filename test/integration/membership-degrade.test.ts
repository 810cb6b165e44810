/** The last voter is removed: nothing that waited for it may be answered as if it had flushed it. */
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { decide, resolveToken } from '../../src/reservations/client.ts';
import type { DecideResult, Scope } from '../../src/reservations/types.ts';
import { createTestEstate, PAIR, type TestEstate } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { changeMember } from '../support/membership.ts';

let world: TestEstate;
const paused = new Set<number>();
const ISSUER = 'MUNI-1';
const PATIENT = { deadlineMs: 60_000 };

beforeAll(async () => {
  world = await createTestEstate(PAIR);
  world.startAll();
  await world.untilLeased('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  for (const pid of paused) process.kill(pid, 'SIGCONT');
  await world.stop();
});

async function pauseFollower(): Promise<() => void> {
  const client = await world.connect('m2');
  const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
  const pid = rows[0]?.pid;
  if (pid === undefined) throw new Error('m2 has no receiver');
  process.kill(pid, 'SIGSTOP');
  paused.add(pid);
  return () => {
    if (paused.delete(pid)) process.kill(pid, 'SIGCONT');
  };
}

const scope = async (): Promise<Scope> => {
  const { authority, membership } = await world.view();
  const { term } = authority?.value ?? { term: 0 };
  return { cluster: 'c1', epoch: membership?.value.epoch ?? 0, shard: 0, generation: 1, term };
};

const setLimit = async (token: string): Promise<DecideResult> => {
  const client = await world.connect('m1', 'gateway');
  const command = {
    kind: 'set-limit',
    issuer: ISSUER,
    token,
    desk: 'ops',
    hash: 'ab'.repeat(32),
    limit: '100',
  };
  return decide(client, await scope(), [command as never], PATIENT);
};

/** As a gateway does: a refusal without effect is sent again. */
const decided = (token: string) =>
  eventually(`${token} decided`, async () => {
    const result = await setLimit(token);
    return result.kind === 'decided' ? result : undefined;
  });

async function waitingCommit(): Promise<void> {
  const admin = await world.connect('m1');
  await eventually('a decision waits for its follower', async () => {
    const { rows } = await admin.query(
      `select 1 from pg_stat_activity where wait_event = 'SyncRep' and usename = 'capstan_gateway'`,
    );
    return rows.length > 0 ? true : undefined;
  });
}

test('a decision that waits for the last voter when it is removed is unknown, and resolved as degraded', async () => {
  expect(await decided('tok-before')).toMatchObject({ degraded: false });
  const resume = await pauseFollower();
  const waiting = setLimit('tok-waits');
  await waitingCommit();
  const { operation } = await changeMember(world, 'remove', 'm2', { acceptDegraded: true });
  expect(operation).toMatchObject({ status: 'done', approvals: ['accept-degraded'] });
  expect(await waiting).toMatchObject({ kind: 'unknown' });
  expect((await world.view()).inSync?.value).toMatchObject({ degraded: true, voters: [], required: 0 });
  expect(await decided('tok-after')).toMatchObject({ degraded: true });
  const client = await world.connect('m1', 'gateway');
  const token = { issuer: ISSUER, token: 'tok-waits' };
  const resolved = await resolveToken(client, await scope(), token, PATIENT);
  expect(resolved).toMatchObject({ kind: 'resolved', degraded: true, outcome: { outcome: 'confirmed' } });
  resume();
});

test('a voter that is added again ends it', async () => {
  const { operation } = await changeMember(world, 'add', 'm2');
  expect(operation?.status).toBe('done');
  expect(await decided('tok-again')).toMatchObject({ degraded: false });
});

test.each([
  ['before it saw the epoch', () => true],
  ['once the record says degraded', (degraded: boolean) => degraded],
] as const)(
  'the leader’s agent killed %s: the waiting decision is unknown all the same',
  async (_, moment) => {
    await decided(`tok-kill-${_.length}`);
    const resume = await pauseFollower();
    const waiting = setLimit(`tok-killed-${_.length}`);
    await waitingCommit();
    const stop = new AbortController();
    const removal = changeMember(world, 'remove', 'm2', { acceptDegraded: true, signal: stop.signal });
    await world.until('the moment', ({ membership, inSync }) => {
      const demoted = membership?.value.members['m2']?.role === 'learner';
      return demoted && moment(inSync?.value.degraded ?? false);
    });
    await world.agent('m1').end('SIGKILL');
    stop.abort();
    const stopped: unknown = await removal.catch((error: unknown) => error);
    const id = (stopped as { data: { operation: string } }).data.operation;
    world.agent('m1').start();
    const { operation } = await resumeOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
    expect(operation.status).toBe('done');
    expect(await waiting).toMatchObject({ kind: 'unknown' });
    expect(await decided(`tok-alone-${_.length}`)).toMatchObject({ degraded: true });
    resume();
    await changeMember(world, 'add', 'm2');
  },
);
