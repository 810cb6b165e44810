import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFailed, test } from 'vitest';
import { isAlive } from '../../src/agent/postmaster.ts';
import { decideOnce } from '../support/agent-claims.ts';
import { createTestEstate, PAIR, type TestEstate, type TestMember, TRIO } from '../support/agents.ts';

let estate: TestEstate | undefined;

async function create(members: readonly TestMember[]): Promise<TestEstate> {
  const created = await createTestEstate(members);
  estate = created;
  onTestFailed(async () => {
    process.stderr.write(await created.logs());
  });
  return created;
}

afterEach(async () => {
  await estate?.stop();
  estate = undefined;
});

describe('a new cluster', () => {
  test('opens term 1, grants once its voter is recorded in sync, and proves its RPO claim', async () => {
    const world = await create(TRIO);
    world.startAll();
    await world.untilLeased('m1');
    const view = await world.view();
    expect(view.authority?.value).toMatchObject({ phase: 'open', leader: 'm1', term: 1 });
    expect(view.inSync?.value).toMatchObject({ degraded: false, required: 1 });
    expect(view.inSync?.value.voters.map(({ member }) => member)).toEqual(['m2']);
    expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
    const advertised = await world.until(
      'the RPO claim is advertised',
      ({ claim }) => claim?.value.status === 'advertised',
    );
    expect(advertised.claim?.value.lagMs).toBeLessThan(world.contract.rpo.budgetMs);
    const leader = await world.connect('m1');
    const { rows } = await leader.query('select rpo_until from capstan.lease where rpo_until is not null');
    expect(rows).toHaveLength(1);
    await world.until('every member is heard of', ({ heartbeats }) =>
      ['m2', 'm3'].every((member) => heartbeats.get(member)?.value.state === 'following'),
    );
  });

  test('is not granted a lease before its expected voter streams', async () => {
    const world = await create(PAIR);
    world.agent('m1').start();
    const waiting = await world.until(
      'the leader waits for its voter',
      ({ heartbeats }) =>
        heartbeats.get('m1')?.value.state === 'opening' &&
        heartbeats.get('m1')?.value.reason?.includes('m2') === true,
    );
    expect(waiting.inSync).toBeUndefined();
    expect(await world.isLeased('m1')).toBeUndefined();
    world.agent('m2').start();
    await world.untilLeased('m1');
    expect((await world.view()).inSync?.value.degraded).toBe(false);
  });

  test('with a single member opens degraded, and says so', async () => {
    const world = await create([{ name: 'm1', role: 'voter' }]);
    world.startAll();
    await world.untilLeased('m1');
    expect((await world.view()).inSync?.value).toMatchObject({ degraded: true, required: 0, voters: [] });
    const client = await world.connect('m1');
    const { rows } = await client.query('select degraded, rpo_claim from capstan.lease');
    expect(rows).toEqual([{ degraded: true, rpo_claim: null }]);
  });

  test('an agent told to end stops its Postgres within seconds, and keeps its settings outside the data', async () => {
    const world = await create([{ name: 'm1', role: 'voter' }]);
    world.startAll();
    await world.untilLeased('m1');
    const pid = await world.postmaster('m1');
    const auto = await readFile(join(world.dataDir('m1'), 'postgresql.auto.conf'), 'utf8');
    expect(auto.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
    const begun = performance.now();
    await world.agent('m1').end('SIGTERM');
    expect(performance.now() - begun).toBeLessThan(8_000);
    expect(await isAlive(pid)).toBe(false);
  });
});
