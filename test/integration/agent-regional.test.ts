import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { readProgress } from '../../src/controlplane/progress.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { DecidedPrefix } from '../../src/domain/records.ts';
import { decideOnce, headPosition, REFUSALS } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { LinkedRegions } from '../support/linked-regions.ts';

const SHARD = '0';

let world: TestEstate;

beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});

const request = () => ({
  etcd: world.port,
  keys: world.keys,
  cluster: CLUSTER,
  region: 'madrid',
  actor: 'test',
});
const prefixOf = (operation: OperationRecord): DecidedPrefix =>
  stepResult(operation, 'decide')?.['prefix'] as DecidedPrefix;

async function begin(links?: LinkedRegions): Promise<void> {
  world = await createTestEstate(TRIO, links === undefined ? {} : { links });
  world.startAll();
  await world.untilFollowed('m1');
  await world.until('the claim is advertised', ({ claim }) => claim?.value.status === 'advertised');
}

/** Until every member has published the same, the observer included. */
async function untilProgressAgrees(position: string): Promise<void> {
  await eventually('equal progress', async () => {
    const progress = await readProgress(world.port, world.keys, CLUSTER);
    const [m1, m2, m3] = ['m1', 'm2', 'm3'].map((member) => progress.get(member));
    if (m1?.positions[SHARD] !== position) return undefined;
    for (const other of [m2, m3]) {
      if (other?.positions[SHARD] !== position || other.lineageDigest !== m1.lineageDigest) return undefined;
      expect(other).toMatchObject({ term: 1, timeline: 1, peak: null });
    }
    expect(m1.peak?.decisionsPerSecond).toBeGreaterThan(0);
    return true;
  });
}

describe('a region that is cut off', () => {
  const links = new LinkedRegions();
  let operation: OperationRecord;
  let confirmed: bigint;

  beforeAll(async () => {
    await begin(links);
  });
  afterAll(async () => {
    await world.stop();
    links.close();
  });

  test('goes on confirming until its right ends; each member publishes what it holds', async () => {
    const client = await world.connect('m1', 'gateway');
    for (let count = 0; count < 5; count += 1) expect(await decideOnce(client, 1)).toBe('decided');
    await untilProgressAgrees(await headPosition(world, 'm1'));
    links.cut();
    const answers: string[] = [];
    do answers.push(await decideOnce(client, 1));
    while (answers.at(-1) === 'decided');
    expect(answers.length).toBeGreaterThan(1);
    expect(REFUSALS).toContain(answers.at(-1));
    confirmed = BigInt(await headPosition(world, 'm1'));
  });

  test('is failed over to the other: from exactly what that holds, with a loss that was foreseen or accepted', async () => {
    operation = await eventually(
      'a leader that no longer looks healthy',
      () =>
        runFailover({ ...request(), acceptLoss: 1_000_000 }).then(
          (result) => result.operation,
          (error: unknown) => {
            if (error instanceof CapstanError && error.code === 'leader_healthy') return undefined;
            throw error;
          },
        ),
      60_000,
    );
    expect(operation).toMatchObject({ status: 'done', error: null });
    expect(stepResult(operation, 'proof')).toMatchObject({ kind: 'lease-waited', holds: true });
    const view = await world.view();
    expect(view.authority?.value).toMatchObject({ term: 2, phase: 'open', leader: 'm3' });
    expect(view.membership?.value).toMatchObject({
      epoch: 2,
      members: { m1: { role: 'observer' }, m2: { role: 'observer' }, m3: { role: 'voter' } },
    });
    const prefix = prefixOf(operation);
    expect(await headPosition(world, 'm3')).toBe(prefix.positions[SHARD]);
    expect(confirmed).toBeGreaterThan(BigInt(prefix.positions[SHARD] ?? 0));
    expect(view.losses.get(operation.id)?.value).toMatchObject({
      status: 'open',
      positions: prefix.positions,
      members: { m1: { state: 'pending' }, m2: { state: 'pending' } },
    });
    const client = await world.connect('m3', 'gateway');
    expect(await decideOnce(client, 2, 2)).toBe('decided');
    expect(REFUSALS).toContain(await decideOnce(client, 2, 1));
  });

  test('decides nothing when it is back: its leader is quarantined, and so is who holds more than the prefix', async () => {
    expect(REFUSALS).toContain(await decideOnce(await world.connect('m1', 'gateway'), 1));
    links.heal();
    const view = await world.until(
      'both are quarantined',
      ({ heartbeats }) =>
        ['m1', 'm2'].every((member) => heartbeats.get(member)?.value.state === 'quarantined'),
      60_000,
    );
    expect(view.heartbeats.get('m1')?.value.reason).toContain('m3 leads term 2');
    expect(view.heartbeats.get('m2')?.value.reason).toContain('ahead of the new leader');
    expect(await decideOnce(await world.connect('m3', 'gateway'), 2, 2)).toBe('decided');
  });
});

describe('a leader whose agent hears of the fence', () => {
  beforeAll(async () => {
    await begin();
  });
  afterAll(() => world.stop());

  test('reports its own end; its follower in the other region has received all that it confirmed', async () => {
    const client = await world.connect('m1', 'gateway');
    for (let count = 0; count < 5; count += 1) expect(await decideOnce(client, 1)).toBe('decided');
    const confirmed = await headPosition(world, 'm1');
    // No frozen voter, and a wait that would take a minute: only its agent is left to prove anything.
    await world.agent('m2').end('SIGKILL');
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() / 20 };
    const { operation } = await runFailover({ ...request(), force: true, acceptLoss: 1_000_000, clock });
    expect(stepResult(operation, 'proof')).toMatchObject({ kind: 'agent-report', holds: true });
    expect(prefixOf(operation).positions[SHARD]).toBe(confirmed);
    const view = await world.view();
    expect(view.stopped.get('m1')?.value).toMatchObject({ term: 2, operation: operation.id });
    expect(await decideOnce(await world.connect('m3', 'gateway'), 2, 2)).toBe('decided');
  });
});
