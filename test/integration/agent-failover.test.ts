import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { readProgress } from '../../src/controlplane/progress.ts';
import { promotionDifferences } from '../../src/controlplane/failover/verification.ts';
import type { AuthorityRecord, DecidedPrefix, InSyncRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import { decideOnce, headPosition, REFUSALS } from '../support/agent-claims.ts';
import { eventually } from '../support/etcd.ts';
import { createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';

let world: TestEstate;
const OPERATION = 'by-hand';

beforeAll(async () => {
  world = await createTestEstate(TRIO);
  world.startAll();
  await world.untilFollowed('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

/** What the coordinator would write: the agents can't tell. */
async function changeAuthority(
  change: Partial<AuthorityRecord>,
  writes: readonly Write[] = [],
): Promise<void> {
  const { authority } = await world.view();
  if (authority === undefined) throw new Error('no authority');
  const key = world.keys.authority('c1');
  const value = JSON.stringify({ ...authority.value, ...change });
  const { succeeded } = await world.port.transact(
    [{ key, modRevision: authority.revision }],
    [{ kind: 'put', key, value }, ...writes],
  );
  expect(succeeded).toBe(true);
}

async function reportsOf(term: number, members: readonly string[]) {
  const view = await world.until(`frozen for term ${term}: ${members.join(', ')}`, ({ frozen }) =>
    members.every((member) => frozen.get(member)?.value.term === term),
  );
  return view.frozen;
}

let prefix: DecidedPrefix;
let confirmed: string;

/** One failover, step by step, as its own claims. */
describe('a failover by records that another process writes', () => {
  test('a fenced term shuts the old leader and freezes every follower, each with its own report', async () => {
    const client = await world.connect('m1', 'gateway');
    for (let count = 0; count < 5; count += 1) expect(await decideOnce(client, 1)).toBe('decided');
    confirmed = await headPosition(world, 'm1');
    // Its agent is dead and its Postgres goes on: only the frozen follower keeps it from confirming.
    await world.agent('m1').end('SIGKILL');
    await changeAuthority({ phase: 'fenced', term: 2, leader: null, operation: OPERATION, prefix: null });
    const frozen = await reportsOf(2, ['m2', 'm3']);
    const report = frozen.get('m2')?.value;
    if (report === undefined) throw new Error('no report');
    expect(report).toMatchObject({ operation: OPERATION, timeline: 1 });
    expect(report.positions['0']).toBe(confirmed);
    expect((await world.view()).inSync?.value.voters).toEqual([
      { member: 'm2', incarnation: report.incarnation },
    ]);
    prefix = {
      member: 'm2',
      incarnation: report.incarnation,
      timeline: report.timeline,
      lsn: report.replayedLsn,
      positions: report.positions,
    };
    const late = decideOnce(client, 1);
    const answer = await Promise.race([
      late,
      new Promise<string>((resolve) => {
        setTimeout(() => resolve('still waiting'), 1_500);
      }),
    ]);
    expect([...REFUSALS, 'still waiting']).toContain(answer);
    // It ends with its Postgres.
    void late;
  });

  test('a frozen follower stays frozen over a restart of its agent and its Postgres', async () => {
    await world.agent('m2').end('SIGTERM');
    world.agent('m2').start();
    await world.until('frozen again', ({ heartbeats }) => heartbeats.get('m2')?.value.state === 'frozen');
    const follower = await world.connect('m2');
    const { rows } = await follower.query(
      `select current_setting('primary_conninfo') as source, pg_last_wal_replay_lsn()::text as lsn,
         pg_get_wal_replay_pause_state() as pause,
         (select count(*)::int from pg_stat_wal_receiver) as receivers`,
    );
    expect(rows).toEqual([{ source: '', lsn: prefix.lsn, pause: 'not paused', receivers: 0 }]);
  });

  test('the chosen member promotes exactly the decided prefix and opens under no lease', async () => {
    await changeAuthority({ phase: 'promoting', leader: 'm2', prefix });
    const { promotion } = await world.until('promoted', (view) => view.promotion?.value.term === 2);
    if (promotion === undefined) throw new Error('no promotion');
    expect(promotionDifferences(promotion.value, { operation: OPERATION, term: 2, prefix })).toEqual([]);
    const direct = await world.connect('m2', 'gateway');
    expect(REFUSALS).toContain(await decideOnce(direct, 2));
  });

  test('opened as recorded degraded, it is granted, decides, and says so', async () => {
    const degraded: InSyncRecord = {
      term: 2,
      epoch: 1,
      voters: [],
      required: 0,
      degraded: true,
      since: new Date().toISOString(),
    };
    await changeAuthority({ phase: 'open' }, [
      { kind: 'put', key: world.keys.inSync('c1'), value: JSON.stringify(degraded) },
    ]);
    await world.untilLeased('m2');
    expect(await decideOnce(await world.connect('m2', 'gateway'), 2)).toBe('decided');
    const client = await world.connect('m2');
    const { rows } = await client.query('select degraded, sync_names from capstan.lease');
    expect(rows).toEqual([{ degraded: true, sync_names: '' }]);
    expect(BigInt(await headPosition(world, 'm2'))).toBe(BigInt(confirmed) + 1n);
  });

  test('the remote follower follows the new leader on its timeline', async () => {
    const view = await world.until(
      'm3 follows m2',
      ({ heartbeats }) =>
        heartbeats.get('m3')?.value.state === 'following' &&
        heartbeats.get('m2')?.value.followers.some(({ member }) => member === 'm3') === true,
    );
    expect(view.heartbeats.get('m2')?.value.timeline).toBe(2);
    await world.until(
      'the claim is proved anew',
      ({ claim }) => claim?.value.term === 2 && claim.value.status === 'advertised',
    );
  });

  test('the old leader, back again, is quarantined and never started', async () => {
    const pid = await world.postmaster('m1');
    if (pid > 1) process.kill(pid, 'SIGKILL');
    world.agent('m1').start();
    const view = await world.until(
      'quarantined',
      ({ heartbeats }) => heartbeats.get('m1')?.value.state === 'quarantined',
    );
    expect(view.heartbeats.get('m1')?.value).toMatchObject({ postgresUp: false });
    expect(view.heartbeats.get('m1')?.value.reason).toContain('m2 leads term 2');
    expect(view.inSync?.value.degraded).toBe(true);
  });

  test('a voter cloned anew is taken in again: setting, proof, record, and decisions wait for it', async () => {
    await world.agent('m1').end('SIGTERM');
    await world.discard('m1');
    world.agent('m1').start();
    const view = await world.until('m1 is in sync', ({ inSync }) => inSync?.value.degraded === false);
    const { incarnation } = view.members.get('m1')?.value ?? {};
    expect(view.inSync?.value.voters).toEqual([{ member: 'm1', incarnation }]);
    await world.untilLeased('m2');
    expect(await decideOnce(await world.connect('m2', 'gateway'), 2)).toBe('decided');
    const client = await world.connect('m2');
    const { rows } = await client.query('select degraded, sync_names from capstan.lease');
    expect(rows).toEqual([{ degraded: false, sync_names: `ANY 1 ("m1_${incarnation}")` }]);
  });

  test('who follows nobody any more says which timeline it holds, long before its next restart point', async () => {
    const remote = await world.connect('m3');
    await world.agent('m2').end('SIGKILL');
    const pid = await world.postmaster('m2');
    if (pid > 1) process.kill(pid, 'SIGKILL');
    await eventually('m3 receives nothing', async () => {
      const { rows } = await remote.query('select 1 from pg_stat_wal_receiver');
      return rows.length === 0;
    });
    const { rows } = await remote.query<{ at: number }>(
      'select timeline_id as at from pg_control_checkpoint()',
    );
    expect(rows).toEqual([{ at: 1 }]);
    const since = new Date().toISOString();
    const view = await world.until('m3 has beaten', ({ heartbeats }) => {
      const beat = heartbeats.get('m3')?.value;
      return beat !== undefined && beat.at > since;
    });
    expect(view.heartbeats.get('m3')?.value.timeline).toBe(2);
    const progress = await readProgress(world.port, world.keys, 'c1');
    expect(progress.get('m3')?.timeline).toBe(2);
  });
});
