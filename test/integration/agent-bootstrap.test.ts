import { afterEach, describe, expect, onTestFailed, test } from 'vitest';
import { createTestEstate, PAIR, type TestEstate, TRIO } from '../support/agents.ts';

let estate: TestEstate | undefined;

async function start(members: Parameters<typeof createTestEstate>[0]): Promise<TestEstate> {
  const created = await createTestEstate(members);
  estate = created;
  onTestFailed(async () => {
    process.stderr.write(await created.logs());
  });
  created.startAll();
  return created;
}

afterEach(async () => {
  await estate?.stop();
  estate = undefined;
});

describe('a new cluster', () => {
  test('opens term 1, and gets its first lease once its voter is recorded in sync', async () => {
    const world = await start(TRIO);
    const begun = performance.now();
    await world.untilLeased('m1');
    process.stderr.write(`leased after ${performance.now() - begun}\n`);
    const view = await world.view();
    expect(view.authority?.value).toMatchObject({ phase: 'open', leader: 'm1', term: 1 });
    expect(view.inSync?.value).toMatchObject({ degraded: false, required: 1 });
    expect(view.inSync?.value.voters.map(({ member }) => member)).toEqual(['m2']);
    const advertised = await world.until(
      'the RPO claim is advertised',
      ({ claim }) => claim?.value.status === 'advertised',
    );
    expect(advertised.claim?.value.lagMs).toBeLessThan(world.contract.rpo.budgetMs);
  });
});
