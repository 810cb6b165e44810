import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { listAudit } from '../../src/controlplane/audit.ts';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { changeMember } from '../support/membership.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(TRIO, { spare: [{ name: 'm4', role: 'voter' }] });
  world.startAll();
  await world.untilLeased('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

const voters = async () => (await world.view()).inSync?.value.voters.map(({ member }) => member).toSorted();
const epoch = async () => (await world.view()).membership?.value.epoch ?? 0;
const incarnationOf = async (member: string) => (await world.view()).members.get(member)?.value.incarnation;

/** A decision under the epoch of this moment; the gateway does the same when it is behind. */
const decides = () =>
  eventually('a decision', async () => {
    const client = await world.connect('m1', 'gateway');
    return (await decideOnce(client, 1, await epoch())) === 'decided' ? true : undefined;
  });

test('a member that is not in the membership holds still', async () => {
  await world.until('m4 says so', ({ heartbeats }) => heartbeats.get('m4')?.value.state === 'stopped');
  expect(await world.postmaster('m4')).toBe(0);
});

test('a learner clones and follows, and never counts, however near it is', async () => {
  const before = await epoch();
  const { changed, operation } = await changeMember(world, 'add', 'm4', { asLearner: true });
  expect([changed, operation?.status]).toEqual([true, 'done']);
  const view = await world.view();
  expect(view.membership?.value).toMatchObject({ epoch: before + 1, members: { m4: { role: 'learner' } } });
  expect(view.memberOperations.size).toBe(0);
  await decides();
  expect(await voters()).toEqual(['m2']);
});

test('a learner is promoted to a voter: the epoch first, then the record, then the setting', async () => {
  const before = await epoch();
  const { operation } = await changeMember(world, 'promote', 'm4');
  expect(operation?.status).toBe('done');
  expect(await voters()).toEqual(['m2', 'm4']);
  expect(await epoch()).toBe(before + 1);
  await decides();
  const audit = await listAudit(world.port, world.keys, { target: 'c1' });
  const committed = audit.findLast(({ action }) => action === 'membership.change');
  const recorded = audit.findLast(({ action }) => action === 'in-sync.record');
  expect(String(recorded?.id) > String(committed?.id)).toBe(true);
  expect(recorded?.after).toMatchObject({ epoch: before + 1, required: 2 });
});

test('what is so already changes nothing', async () => {
  const before = await epoch();
  expect(await changeMember(world, 'add', 'm4')).toMatchObject({ changed: false, operation: null });
  expect(await changeMember(world, 'promote', 'm4')).toMatchObject({ changed: false, operation: null });
  expect(await epoch()).toBe(before);
});

test('a voter that is removed leaves the record, then the membership; it stops, and its data stays', async () => {
  const before = await epoch();
  const { operation } = await changeMember(world, 'remove', 'm4');
  expect(operation?.status).toBe('done');
  expect(operation?.steps.at(-1)?.result).toMatchObject({ state: 'stopped' });
  const view = await world.view();
  expect(view.membership?.value.epoch).toBe(before + 2);
  expect(view.membership?.value.members['m4']).toBeUndefined();
  expect(view.members.has('m4')).toBe(false);
  expect(await voters()).toEqual(['m2']);
  await decides();
  expect(await changeMember(world, 'remove', 'm4')).toMatchObject({ changed: false });
});

test('added again it follows with the data that it has', async () => {
  await decides();
  const first = (await listAudit(world.port, world.keys, { action: 'in-sync.record' })).findLast(
    ({ after }) => JSON.stringify(after).includes('m4'),
  );
  const { operation } = await changeMember(world, 'add', 'm4');
  expect(operation?.status).toBe('done');
  expect(JSON.stringify(first?.after)).toContain(await incarnationOf('m4'));
  const head = await headPosition(world, 'm1');
  await eventually('it has caught up', async () =>
    (await headPosition(world, 'm4')) === head ? true : undefined,
  );
});

test('the leader is not removed, nor the last voter without a word', async () => {
  await expect(changeMember(world, 'remove', 'm1')).rejects.toMatchObject({ code: 'member_leads', exit: 4 });
  await changeMember(world, 'remove', 'm4');
  await expect(changeMember(world, 'remove', 'm2')).rejects.toMatchObject({ code: 'last_voter', exit: 4 });
  expect(await voters()).toEqual(['m2']);
  const [refused] = await listAudit(world.port, world.keys, { action: 'membership.start', limit: 1 });
  expect(refused).toMatchObject({ outcome: 'refused' });
});
