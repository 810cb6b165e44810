/** One failover of real members into which the traps of the design are laid: each is its own claim. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { stopPostmaster } from '../../src/agent/postmaster.ts';
import { hasRecordAfter } from '../../src/agent/standby-position.ts';
import { segmentAfter } from '../../src/agent/timeline-history.ts';
import { agentFiles } from '../../src/agent/agent-files.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import { parseLsn } from '../../src/domain/lsn.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import { missingAt, startDirectLoad } from '../support/direct-load.ts';
import { eventually } from '../support/etcd.ts';

const SEGMENT_BYTES = 16 * 1_024 * 1_024;
let world: TestEstate;
let confirmed: readonly string[] = [];
let operation: OperationRecord;
let reader: Client;
/** The steps in which etcd was found without a quorum. */
const withoutQuorum: string[] = [];

beforeAll(async () => {
  world = await createTestEstate(TRIO, { etcdMembers: 3 });
  world.startAll();
  await world.untilFollowed('m1', 90_000);
}, 150_000);
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(() => world.stop());

/** Holds a snapshot on the follower that the leader then vacuums away: replay waits for this reader. */
async function holdReplay(): Promise<Client> {
  const [leader, holder] = await Promise.all([world.connect('m1'), world.connect('m2')]);
  await leader.query('create table public.trap as select generate_series(1, 1000) as n');
  await eventually('the table is replayed', async () => {
    const { rows } = await holder.query(`select to_regclass('public.trap') is not null as there`);
    return (rows as { there: boolean }[])[0]?.there === true ? true : undefined;
  });
  await holder.query('begin isolation level repeatable read');
  await holder.query('select count(*) from public.trap');
  await leader.query('delete from public.trap');
  await leader.query('vacuum public.trap');
  return holder;
}

/** Takes etcd's quorum away until somebody has noticed, then gives it back but for one member. */
async function loseQuorum(step: string): Promise<void> {
  const [first, second] = [world.etcd.member(0), world.etcd.member(1)];
  await Promise.all([first.kill(), second.kill()]);
  await eventually('etcd is found without a quorum', async () => {
    const answer = await world.port.get('/probe', { timeoutMs: 500 }).catch((error: unknown) => error);
    return answer instanceof CapstanError ? true : undefined;
  });
  withoutQuorum.push(step);
  second.start();
}

/** Begins the failover and, as an operator would, resumes whatever stops it. */
async function failOver(): Promise<OperationRecord> {
  const { port: etcd, keys } = world;
  const lost = new Set<string>();
  const pending: Promise<void>[] = [];
  const onProgress = ({ step, state }: { readonly step: string; readonly state: string }) => {
    // Before the point of no return, and after it.
    if (state !== 'begun' || !['freeze', 'promote'].includes(step) || lost.has(step)) return;
    lost.add(step);
    pending.push(loseQuorum(step));
  };
  const common = { etcd, keys, actor: 'test', onProgress };
  const done = await eventually(
    'the failover ends',
    async () => {
      const id = (await world.view().catch(() => undefined))?.activeOperation?.value;
      try {
        const result = await (id === undefined
          ? runFailover({ ...common, cluster: CLUSTER, force: true })
          : resumeOperation({ ...common, id }));
        return result.operation;
      } catch (error) {
        if (error instanceof CapstanError) return undefined;
        throw error;
      }
    },
    120_000,
  );
  await Promise.all(pending);
  return done;
}

test('etcd loses a member, and its quorum before and after the point of no return: the failover goes on from where it was', async () => {
  const follower = await world.connect('m2');
  await follower.query(`alter system set restore_command = 'cp /nowhere/%f %p'`);
  await follower.query('select pg_reload_conf()');
  const load = startDirectLoad(world);
  await eventually('there is load', () => (load.confirmed.length > 20 ? true : undefined));
  reader = await holdReplay();
  operation = await failOver();
  expect(withoutQuorum).toEqual(['freeze', 'promote']);
  expect(operation).toMatchObject({ status: 'done', kind: 'failover' });
  const before = load.confirmed.length;
  await eventually(
    'it decides again',
    () => (load.confirmed.length > before + 10 ? true : undefined),
    60_000,
  );
  await load.stop();
  ({ confirmed } = load);
  world.etcd.member(0).start();
  expect((await world.view()).authority?.value).toMatchObject({ term: 2, leader: 'm2', phase: 'open' });
}, 180_000);

test('nothing that was confirmed is lost, although a reader held replay back', async () => {
  expect(await missingAt(world, 'm2', confirmed)).toEqual([]);
  const held = await reader.query('select 1').then(
    () => 'it reads on',
    () => 'it was ended',
  );
  expect(held).toBe('it was ended');
});

test('a restore_command that somebody set would replay past the freeze: it is gone, durably', async () => {
  const leader = await world.connect('m2');
  const { rows } = await leader.query(
    `select current_setting('restore_command') as command, pg_read_file('postgresql.auto.conf') as overrides`,
  );
  const [row] = rows as { command: string; overrides: string }[];
  expect(row?.command).toBe('');
  expect(row?.overrides).not.toContain('restore_command');
});

test('what follows replay in the log counts only while it is whole: behind a torn record replay is complete', async () => {
  await world.agent('m3').end('SIGKILL');
  const observer = await world.connect('m3');
  const { rows } = await observer.query(
    'select checkpoint_lsn::text as lsn, timeline_id as timeline from pg_control_checkpoint()',
  );
  // The record of the last restart point is there, and whole.
  const [checkpoint] = rows as { lsn: string; timeline: number }[];
  if (checkpoint === undefined) throw new Error('no checkpoint');
  const dataDir = world.dataDir('m3');
  await stopPostmaster({ dataDir, pid: await world.postmaster('m3'), mode: 'immediate', stepMs: 5_000 });
  const binaries = await findPostgresBinaries({});
  const context = { binaries, files: agentFiles(dataDir), account: undefined };
  expect(await hasRecordAfter(context, checkpoint)).toBe(true);
  await tear(dataDir, checkpoint);
  expect(await hasRecordAfter(context, checkpoint)).toBe(false);
});

/** Overwrites the record at a position but for its first bytes, as a write that was cut short leaves it. */
async function tear(dataDir: string, { lsn, timeline }: { lsn: string; timeline: number }): Promise<void> {
  const wal = join(dataDir, 'pg_wal');
  const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}${segmentAfter(lsn, SEGMENT_BYTES) ?? ''}`;
  const file = await open(join(wal, name), 'r+');
  await file.write(Buffer.alloc(24, 0xff), 0, 24, Number((parseLsn(lsn) ?? 0n) % BigInt(SEGMENT_BYTES)) + 24);
  await file.close();
}
