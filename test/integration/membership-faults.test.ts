/** Members come and go while agents die, coordinators stop and leaders change. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { agentFiles } from '../../src/agent/agent-files.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { startServer } from '../../src/postgres/server.ts';
import { createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { eventually } from '../support/etcd.ts';
import { changeMember, type ChangeOptions } from '../support/membership.ts';

let world: TestEstate;

beforeAll(async () => {
  world = await createTestEstate(TRIO, { spare: [{ name: 'm4', role: 'voter' }] });
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

const voters = async () => (await world.view()).inSync?.value.voters.map(({ member }) => member).toSorted();
const incarnationOf = async (member: string) => (await world.view()).members.get(member)?.value.incarnation;
const resume = (id: string) => resumeOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });

/** Stops the coordinator when its operation begins a step; the operation's id. */
async function leaveAt(
  step: string,
  action: 'add' | 'promote' | 'remove',
  options: ChangeOptions = {},
): Promise<string> {
  const stop = new AbortController();
  const left: unknown = await changeMember(world, action, 'm4', {
    ...options,
    signal: stop.signal,
    onProgress: (progress) => {
      if (progress.step === step) stop.abort();
    },
  }).catch((error: unknown) => error);
  expect(left).toMatchObject({ code: 'operation_interrupted', exit: 5 });
  return (left as { data: { operation: string } }).data.operation;
}

/** Data that went its own way: a standby that somebody promoted by hand, and shut down again. */
async function divergeOnDisk(member: string): Promise<void> {
  await world.agent(member).end('SIGTERM');
  const dataDir = world.dataDir(member);
  const files = agentFiles(dataDir);
  const { osUser } = world.config.postgres;
  const server = await startServer({
    binaries: await findPostgresBinaries({}),
    dataDir,
    configFile: files.config,
    hbaFile: files.hba,
    identFile: files.ident,
    logFile: files.log,
    osUser,
  });
  await server.waitReady({ timeoutMs: 30_000 });
  const client = await world.connect(member);
  await client.query('select pg_promote(true, 30)');
  await client.query('set synchronous_commit = local');
  await client.query('create table public.mine (x int)');
  await client.end();
  await server.stop('fast');
  await writeFile(join(dataDir, 'standby.signal'), '');
}

test('an add that was interrupted is resumed, or given up: then the learner is out again', async () => {
  const id = await leaveAt('catch-up', 'add');
  expect((await world.view()).memberOperations.get('m4')?.value).toBe(id);
  await expect(changeMember(world, 'add', 'm4')).rejects.toMatchObject({ code: 'operation_active', exit: 4 });
  const aborted = await abortOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
  expect(aborted.operation.status).toBe('aborted');
  const view = await world.view();
  expect(view.membership?.value.members['m4']).toBeUndefined();
  expect(view.memberOperations.size).toBe(0);
});

test('data of a learner that went its own way is made anew when it is added again', async () => {
  await changeMember(world, 'add', 'm4', { asLearner: true });
  const before = await incarnationOf('m4');
  await changeMember(world, 'remove', 'm4');
  await divergeOnDisk('m4');
  world.agent('m4').start();
  expect((await changeMember(world, 'add', 'm4', { asLearner: true })).operation?.status).toBe('done');
  expect(await incarnationOf('m4')).not.toBe(before);
});

test('the leader’s agent killed as the epoch is committed takes the voter in after its restart', async () => {
  const id = await leaveAt('settle', 'promote');
  await world.agent('m1').end('SIGKILL');
  expect((await world.view()).membership?.value.members['m4']?.role).toBe('voter');
  world.agent('m1').start();
  expect((await resume(id)).operation.status).toBe('done');
  expect(await voters()).toEqual(['m2', 'm4']);
});

test('the leader’s agent killed as a voter is dropped drops it after its restart; a removal can be given up', async () => {
  const id = await leaveAt('unsync', 'remove');
  await world.agent('m1').end('SIGKILL');
  world.agent('m1').start();
  await world.until('m4 is out of the record', ({ inSync }) => inSync?.value.voters.length === 1);
  await abortOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
  expect((await world.view()).membership?.value.members['m4']?.role).toBe('voter');
  await world.until('m4 is in sync again', ({ inSync }) => inSync?.value.voters.length === 2);
});

test('data that went its own way, of a member that was in sync once, is quarantined and never replaced', async () => {
  const kept = await incarnationOf('m4');
  await changeMember(world, 'remove', 'm4');
  await divergeOnDisk('m4');
  world.agent('m4').start();
  const left: unknown = await changeMember(world, 'add', 'm4').catch((error: unknown) => error);
  expect(left).toMatchObject({ code: 'member_quarantined', exit: 6 });
  expect((await world.view()).heartbeats.get('m4')?.value.incarnation).toBe(kept);
  const { operation: id } = (left as { data: { operation: string } }).data;
  await abortOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
  await world.agent('m4').end('SIGTERM');
  await world.discard('m4');
});

test('a failover in the middle of an add: the learner follows whoever leads, and votes for it', async () => {
  const id = await leaveAt('catch-up', 'add');
  await world.agent('m1').end('SIGKILL');
  process.kill(await world.postmaster('m1'), 'SIGKILL');
  await runFailover({ etcd: world.port, keys: world.keys, cluster: 'c1', actor: 'test', force: true });
  world.agent('m4').start();
  const { operation } = await resume(id);
  expect(operation.status).toBe('done');
  const view = await world.view();
  expect(view.authority?.value.leader).toBe('m2');
  expect(view.inSync?.value).toMatchObject({ degraded: false, voters: [{ member: 'm4' }] });
  world.agent('m1').start();
  await eventually('the former leader is shut', async () => {
    const state = (await world.view()).heartbeats.get('m1')?.value.state;
    return state === 'quarantined' ? true : undefined;
  });
  expect((await changeMember(world, 'remove', 'm1')).operation?.status).toBe('done');
});
