import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { decideOnce } from '../support/agent-claims.ts';
import { createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';

let world: TestEstate;
const paused = new Set<number>();

beforeAll(async () => {
  world = await createTestEstate(TRIO);
  world.startAll();
  await world.untilLeased('m1');
  await world.until('the claim is advertised', ({ claim }) => claim?.value.status === 'advertised');
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

/** Stops a follower's receiver: it answers nothing and flushes nothing, but its connection stands. */
async function pauseReceiver(member: string): Promise<() => void> {
  const client = await world.connect(member);
  const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_wal_receiver');
  const pid = rows[0]?.pid;
  if (pid === undefined) throw new Error(`${member} has no receiver`);
  process.kill(pid, 'SIGSTOP');
  paused.add(pid);
  return () => {
    paused.delete(pid);
    process.kill(pid, 'SIGCONT');
  };
}

describe('followers that fall silent', () => {
  test('a paused voter is not taken out: decisions wait for it, and the lease goes on', async () => {
    const before = await world.view();
    const client = await world.connect('m1', 'gateway');
    const resume = await pauseReceiver('m2');
    let answer = 'waiting';
    const decision = decideOnce(client, 1).then((result) => (answer = result));
    // Longer than a lease: it was renewed meanwhile, or it would have lapsed.
    await world.until(
      'renewals go on',
      ({ lease }) => (lease?.value.sequence ?? 0) >= (before.lease?.value.sequence ?? 0) + 4,
    );
    expect(answer).toBe('waiting');
    expect((await world.view()).inSync?.revision).toBe(before.inSync?.revision);
    expect(await world.isLeased('m1')).toBe(true);
    resume();
    expect(await decision).toBe('decided');
  });

  test('a silent remote follower costs the claim within the gate; decisions go on, and it comes back', async () => {
    const client = await world.connect('m1', 'gateway');
    await world.until('advertised', ({ claim }) => claim?.value.status === 'advertised');
    const resume = await pauseReceiver('m3');
    const silentAt = performance.now();
    const answers = new Set<string>();
    const { claim } = await world.until('withdrawn', (view) => view.claim?.value.status === 'withdrawn');
    expect(performance.now() - silentAt).toBeLessThan(world.contract.rpo.budgetMs);
    expect(claim?.value.validUntil).toBeNull();
    for (let count = 0; count < 5; count += 1) answers.add(await decideOnce(client, 1));
    const admin = await world.connect('m1');
    const { rows } = await admin.query('select rpo_claim from capstan.lease');
    expect(rows).toEqual([{ rpo_claim: 'withdrawn' }]);
    expect([...answers]).toContain('decided');
    resume();
    await world.until('advertised again', (view) => view.claim?.value.status === 'advertised');
    const bounded = await admin.query('select 1 from capstan.lease where rpo_until > clock_timestamp()');
    expect(bounded.rows).toHaveLength(1);
  });
});
