import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { clusterHistory } from '../../src/controlplane/cluster-history.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(TRIO, { automatic: true });
  world.startAll();
  await world.untilLeased('m1');
  await world.until(
    'm2 is in sync and m3 follows',
    ({ inSync, members }) => inSync?.value.degraded === false && members.has('m3'),
  );
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

/** As a host that loses its power does it. */
async function killHost(member: string): Promise<void> {
  const pid = await world.postmaster(member);
  await world.agent(member).end('SIGKILL');
  if (pid > 1) process.kill(pid, 'SIGKILL');
}

const automatic = async () =>
  (await listOperations({ etcd: world.port, keys: world.keys })).filter(({ actor }) =>
    actor.startsWith('agent:'),
  );

test('a healthy leader is left alone by every agent', async () => {
  const client = await world.connect('m1', 'gateway');
  for (let count = 0; count < 5; count += 1) expect(await decideOnce(client, 1)).toBe('decided');
  expect(await automatic()).toEqual([]);
});

test('a leader that dies is replaced without a command, and its agent that coordinates may die too', async () => {
  const confirmed = await headPosition(world, 'm1');
  await killHost('m1');
  const { activeOperation } = await world.until(
    'an agent fences',
    (view) => view.activeOperation !== undefined,
  );
  // The coordinator and the member that must promote are the same process.
  await world.agent('m2').end('SIGKILL');
  world.agent('m2').start();
  await world.until(
    'm2 leads',
    ({ authority, activeOperation: active }) =>
      active === undefined && authority?.value.phase === 'open' && authority.value.leader === 'm2',
    90_000,
  );
  await world.untilLeased('m2');
  expect(await decideOnce(await world.connect('m2', 'gateway'), 2)).toBe('decided');
  expect(BigInt(await headPosition(world, 'm2'))).toBe(BigInt(confirmed) + 1n);
  const [operation, ...others] = await automatic();
  expect(others).toEqual([]);
  expect(operation).toMatchObject({ id: activeOperation?.value, actor: 'agent:m2', status: 'done' });
  const takeOvers = await listAudit(world.port, world.keys, { action: 'failover.take-over' });
  expect(new Set(takeOvers.map(({ actor }) => actor.slice(0, 6)))).toEqual(new Set(['agent:']));
});

test('its history tells of both terms', async () => {
  const terms = await clusterHistory(world.port, world.keys, CLUSTER);
  expect(terms).toMatchObject([
    { term: 1, leader: 'm1', timeline: 1, end: 'failover', operation: null },
    { term: 2, leader: 'm2', timeline: 2, end: 'current', actor: 'agent:m2', expectedLoss: '0' },
  ]);
});

test('a degraded leader that dies is not replaced: nobody is known to hold what it confirmed', async () => {
  const before = await automatic();
  await killHost('m2');
  const view = await world.until('its heartbeat is gone', ({ heartbeats }) => !heartbeats.has('m2'));
  expect(view.inSync?.value.degraded).toBe(true);
  expect(view.authority?.value).toMatchObject({ term: 2, leader: 'm2', phase: 'open' });
  expect(await automatic()).toEqual(before);
});
