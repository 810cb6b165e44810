import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import type { AuthorityRecord } from '../../src/domain/records.ts';
import { decideOnce, LAPSED, REFUSALS } from '../support/agent-claims.ts';
import { createTestEstate, type TestEstate } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate([{ name: 'm1', role: 'voter' }], { etcdMembers: 3 });
  world.startAll();
  await world.untilLeased('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  for (const member of world.etcd.members) member.resume();
  await world.stop();
});

const refused = async (client: Parameters<typeof decideOnce>[0], term = 1, timeoutMs = 10_000) =>
  eventually(
    'decisions are refused',
    async () => {
      const answer = await decideOnce(client, term);
      return REFUSALS.includes(answer) ? answer : undefined;
    },
    timeoutMs,
  );

describe('a leader and its right', () => {
  test('an etcd that loses its own leader costs no authority', async () => {
    const client = await world.connect('m1', 'gateway');
    const leader = await world.etcd.leader();
    await leader.kill();
    await eventually('etcd elects another', async () => {
      const { value } = await world.port.get(world.keys.lease('c1')).then(
        (kv) => ({ value: kv }),
        () => ({ value: undefined }),
      );
      return value;
    });
    leader.start();
    await world.untilLeased('m1');
    expect(await decideOnce(client, 1)).toBe('decided');
  });

  test('a lease key deleted by hand makes no second authority; the next renewal writes it again', async () => {
    const { lease } = await world.view();
    await world.port.transact([], [{ kind: 'delete', key: world.keys.lease('c1') }]);
    const again = await world.until('the lease is written again', (view) => view.lease !== undefined);
    expect(again.lease?.value.grantId).toBe(lease?.value.grantId);
    expect(again.authority?.value.term).toBe(1);
  });

  test('a leader cut off from etcd refuses within its TTL, on a connection that was open all along', async () => {
    const client = await world.connect('m1', 'gateway');
    for (const member of world.etcd.members) member.pause();
    const cutAt = performance.now();
    await refused(client);
    expect(performance.now() - cutAt).toBeLessThan(world.contract.lease.ttlMs + 500);
    for (const member of world.etcd.members) member.resume();
    await world.untilLeased('m1');
    expect(await decideOnce(client, 1)).toBe('decided');
  });

  test('an agent paused past its right extends nothing when it resumes', async () => {
    const client = await world.connect('m1', 'gateway');
    world.agent('m1').signal('SIGSTOP');
    expect(await refused(client)).toBe(LAPSED);
    world.agent('m1').signal('SIGCONT');
    await world.untilLeased('m1');
  });

  test('a Postgres paused past its lease refuses its open connections when it resumes', async () => {
    const client = await world.connect('m1', 'gateway');
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const backend = rows[0]?.pid ?? 0;
    process.kill(backend, 'SIGSTOP');
    world.agent('m1').signal('SIGSTOP');
    const answer = decideOnce(client, 1);
    await delay(world.contract.lease.ttlMs + 500);
    process.kill(backend, 'SIGCONT');
    expect(REFUSALS).toContain(await answer);
    world.agent('m1').signal('SIGCONT');
    await world.untilLeased('m1');
  });

  test('an agent that goes on renewing after the authority changed can not, and its Postgres is shut', async () => {
    const client = await world.connect('m1', 'gateway');
    expect(await decideOnce(client, 1)).toBe('decided');
    const authority = (await world.view()).authority;
    if (authority === undefined) throw new Error('no authority');
    const fenced: AuthorityRecord = {
      ...authority.value,
      phase: 'fenced',
      term: 2,
      leader: null,
      operation: 'by-hand',
    };
    await world.port.transact(
      [{ key: world.keys.authority('c1'), modRevision: authority.revision }],
      [{ kind: 'put', key: world.keys.authority('c1'), value: JSON.stringify(fenced) }],
    );
    await refused(client, 1, 2_000);
    const after = await world.until(
      'the former leader is shut',
      ({ heartbeats }) =>
        heartbeats.get('m1')?.value.state === 'fenced' && heartbeats.get('m1')?.value.postgresUp === false,
    );
    expect(after.lease?.value.term).toBe(1);
    // Given back to it by an abort, under a term of its own.
    const shut = after.authority;
    if (shut === undefined) throw new Error('no authority');
    await world.port.transact(
      [{ key: world.keys.authority('c1'), modRevision: shut.revision }],
      [
        {
          kind: 'put',
          key: world.keys.authority('c1'),
          value: JSON.stringify({ ...shut.value, phase: 'open', term: 3, leader: 'm1', operation: null }),
        },
      ],
    );
    await world.untilLeased('m1');
    const later = await world.connect('m1', 'gateway');
    expect(await decideOnce(later, 1)).toBe('CP001');
    expect(await decideOnce(later, 3)).toBe('decided');
  });
});
