import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { beat, type HeadsRead, readHeadsToBeat } from '../../src/reservations/heartbeat-sql.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import {
  grantTestLease,
  SCOPE,
  startPostgresPair,
  TEST_SHARDS,
  type TestPair,
  waitUntil,
} from '../support/postgres.ts';
import { decided, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };
const CLUSTER = { cluster: SCOPE.cluster, epoch: SCOPE.epoch, term: SCOPE.term };

let pair: TestPair;
let superuser: Client;
let agent: Client;
let gateway: Client;
let resume: () => void = () => undefined;
let number = 0;

beforeAll(async () => {
  pair = await startPostgresPair();
  superuser = await pair.leader.connect('superuser');
  agent = await pair.leader.connect('agent');
  gateway = await pair.leader.connect('gateway');
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
});
afterEach(() => resume());
afterAll(() => pair.stop());

const decideOne = () => decided(gateway, SCOPE, reserve(`t-${(number += 1)}`, 1n));

async function look(due: boolean, scope = CLUSTER): Promise<HeadsRead> {
  const read = await readHeadsToBeat(agent, scope, { due }, DEADLINE);
  if (read.kind !== 'read') throw new Error(JSON.stringify(read));
  return read;
}

async function beaten(read: HeadsRead) {
  const { at } = read;
  if (at === null) throw new Error('nothing to beat');
  return beat(agent, CLUSTER, { ...read, at }, DEADLINE);
}

async function rows() {
  const { rows: found } = await superuser.query<{ beat: string; at: Date; position: string }>(
    'select beat, at, position from capstan.heartbeat, capstan.confirmed_position where shard_id = 184',
  );
  return found[0];
}

const nextXid = async () =>
  (await superuser.query('select pg_snapshot_xmax(pg_current_snapshot())::text as next')).rows[0];

describe('a heartbeat', () => {
  it('says of every shard how far it is confirmed, then only of those that moved', async () => {
    const first = await look(false);
    expect(first.heads.map(([shard]) => shard)).toEqual([...TEST_SHARDS]);
    expect(await beaten(first)).toEqual({ kind: 'beaten' });
    const { outcomes } = await decideOne();
    const second = await look(false);
    expect(second).toMatchObject({
      beat: '1',
      heads: [[184, 1, (outcomes[0] as { position: string }).position]],
    });
    expect(await beaten(second)).toEqual({ kind: 'beaten' });
    expect(await rows()).toMatchObject({ beat: '2', position: second.heads[0]?.[2] });
  });

  it('writes nothing while nothing has moved and none is due, and waits for no follower then', async () => {
    await beaten(await look(true));
    resume = await pair.pauseFollower();
    // Autovacuum may take a transaction id of its own beside it.
    await waitUntil('a look takes no transaction id', async () => {
      const before = await nextXid();
      expect(await look(false)).toMatchObject({ at: null, heads: [] });
      return JSON.stringify(await nextXid()) === JSON.stringify(before);
    });
  });

  it('that is due proves nothing while the follower flushes nothing, though no head moved', async () => {
    await beaten(await look(true));
    resume = await pair.pauseFollower();
    const reader = await pair.leader.connect('agent');
    expect(await readHeadsToBeat(reader, CLUSTER, { due: true }, { deadlineMs: 400 })).toMatchObject({
      kind: 'unknown',
      why: 'deadline',
    });
  });

  it('whose wait was cancelled is no proof', async () => {
    resume = await pair.pauseFollower();
    const reader = await pair.leader.connect('agent');
    const pending = readHeadsToBeat(reader, CLUSTER, { due: true }, DEADLINE);
    await waitUntil('it waits for the follower', async () => {
      const { rowCount } = await superuser.query(
        `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and usename = 'capstan_agent'`,
      );
      return rowCount !== 0;
    });
    expect(await pending).toMatchObject({ kind: 'unknown', why: 'warning' });
  });

  it('that another has overtaken writes nothing', async () => {
    const late = await look(true);
    await beaten(await look(true));
    const before = await rows();
    expect(await beaten(late)).toEqual({ kind: 'overtaken' });
    expect(await rows()).toEqual(before);
  });

  it('waits for no follower itself', async () => {
    const read = await look(true);
    resume = await pair.pauseFollower();
    expect(await beaten(read)).toEqual({ kind: 'beaten' });
  });

  it('is refused under another cluster, epoch or term', async () => {
    const read = await look(true);
    const at = read.at ?? '';
    for (const [wrong, reason] of [
      [{ ...CLUSTER, cluster: 'c2' }, 'wrongCluster'],
      [{ ...CLUSTER, epoch: 2 }, 'staleEpoch'],
      [{ ...CLUSTER, term: 2 }, 'staleTerm'],
    ] as const) {
      expect(await readHeadsToBeat(agent, wrong, { due: true }, DEADLINE)).toMatchObject({
        kind: 'refused',
        reason,
      });
      expect(await beat(agent, wrong, { ...read, at }, DEADLINE)).toMatchObject({ kind: 'refused', reason });
    }
  });

  it('whose lease has lapsed since the heads were read is refused', async () => {
    const sync = { syncNames: pair.syncNames, syncRequired: 1, syncMembers: pair.syncMembers };
    const read = await look(true);
    await superuser.query('delete from capstan.lease');
    expect(await beaten(read)).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
    await grantTestLease(pair.leader, sync);
    // Its moment is what it was.
    expect(await beaten(read)).toEqual({ kind: 'beaten' });
    expect((await rows())?.at.toISOString()).toBe(new Date(read.at ?? '').toISOString());
  });

  it('says nothing of a shard whose rows are not all here', async () => {
    const shards = TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const }));
    const arrived = { shard: 7, generation: 2, state: 'serving' as const, handover: '5' };
    await adoptTerm(agent, { ...SCOPE, reason: 'move', shards: [...shards, arrived] });
    await decideOne();
    const read = await look(true);
    expect(read.heads.map(([shard]) => shard)).toEqual([184]);
  });
});
