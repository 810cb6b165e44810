import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beat, readHeadsToBeat } from '../../src/reservations/heartbeat-sql.ts';
import {
  type LogAnswer,
  type LogRequest,
  readLog,
  readLogAtLeader,
} from '../../src/reservations/read-log.ts';
import { SCOPE, startPostgresPair, type TestPair, waitUntil } from '../support/postgres.ts';
import { decided, release, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };
const CLUSTER = { cluster: SCOPE.cluster, epoch: SCOPE.epoch, term: SCOPE.term };
const from = (after: string, shard = 184) => ({ shard, generation: 1, after });

let pair: TestPair;
let agent: Client;
let gateway: Client;
let reader: Client;

beforeAll(async () => {
  pair = await startPostgresPair();
  [agent, gateway, reader] = await Promise.all([
    pair.leader.connect('agent'),
    pair.leader.connect('gateway'),
    pair.follower.connect('reader'),
  ]);
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n), reserve('t-1', 5n, { reservation: 'r-1' }));
  await decided(gateway, SCOPE, release('t-2', 'r-1'), reserve('t-3', 10n ** 12n));
  await decided(gateway, { ...SCOPE, shard: 185 }, setLimit('limit', 7n, { issuer: 'other' }));
});
afterAll(() => pair.stop());

async function beatOnce(): Promise<void> {
  const read = await readHeadsToBeat(agent, CLUSTER, { due: true }, DEADLINE);
  if (read.kind !== 'read' || read.at === null) throw new Error(JSON.stringify(read));
  expect(await beat(agent, CLUSTER, { ...read, at: read.at }, DEADLINE)).toEqual({ kind: 'beaten' });
}

async function follow(request: Partial<LogRequest> & { soleVoter?: boolean }): Promise<LogAnswer> {
  const read = await readLog(
    reader,
    CLUSTER,
    { shards: [from('0')], entriesMax: 100, soleVoter: false, ...request },
    DEADLINE,
  );
  if (read.kind !== 'read') throw new Error(JSON.stringify(read));
  return read;
}

const replayed = () =>
  waitUntil('the follower has replayed all', async () => {
    const mine = await pair.leader.connect('superuser');
    const { rows } = await mine.query<{ at: string }>('select pg_current_wal_flush_lsn()::text as at');
    await mine.end();
    const there = await pair.follower.connect('superuser');
    const found = await there.query<{ there: boolean }>(
      'select pg_last_wal_replay_lsn() >= $1::pg_lsn as there',
      [rows[0]?.at],
    );
    await there.end();
    return found.rows[0]?.there === true;
  });

const withoutTime = ({ logs }: LogAnswer) => logs.map(({ at: _at, ...log }) => log);

describe('the log of a follower', () => {
  it('may not be quoted before anything was called confirmed, but on the only voter', async () => {
    await replayed();
    expect(await follow({})).toMatchObject({
      at: null,
      logs: [],
      refused: [{ shard: 184, reason: 'notConfirmed' }],
    });
    const { logs } = await follow({ soleVoter: true });
    expect(logs).toMatchObject([{ shard: 184, head: '4', bound: '4', at: null, previous: null }]);
    expect(logs[0]?.entries.map(({ position, event }) => `${position} ${event}`)).toEqual([
      '1 limit_set',
      '2 reserved',
      '3 released',
      '4 reserve_rejected',
    ]);
  });

  it('is the leader’s, entry for entry, with the same proof of what came before', async () => {
    await beatOnce();
    await replayed();
    const here = await follow({ shards: [from('2')] });
    const there = await readLogAtLeader(gateway, CLUSTER, { shards: [from('2')], entriesMax: 100 }, DEADLINE);
    if (there.kind !== 'read') throw new Error(JSON.stringify(there));
    expect(withoutTime(here)).toEqual(withoutTime(there));
    expect(here.logs[0]).toMatchObject({
      at: here.at,
      previous: { position: '2', reservation: 'r-1', amount: '5' },
    });
    expect(here.logs[0]?.lineage).toMatchObject([
      { generation: 1, term: 1, first_position: '1', cluster: 'c1' },
    ]);
    expect(here.logs[0]?.entries[0]?.decided_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Date.parse(there.at ?? '')).toBeGreaterThanOrEqual(Date.parse(here.at ?? ''));
  });

  it('ends where the leader called it confirmed, though the member is ahead; what is above isn’t shown as a previous either', async () => {
    await beatOnce();
    await decided(gateway, SCOPE, reserve('ahead', 1n));
    await replayed();
    const [log] = (await follow({ shards: [from('3')] })).logs;
    expect(log).toMatchObject({ head: '5', bound: '4' });
    expect(log?.entries.map(({ position }) => position)).toEqual(['4']);
    expect((await follow({ shards: [from('5')] })).logs).toMatchObject([{ previous: null, entries: [] }]);
    expect((await follow({ shards: [from('5')], soleVoter: true })).logs).toMatchObject([
      { previous: { position: '5' } },
    ]);
    await beatOnce();
    await replayed();
    expect((await follow({ shards: [from('3')] })).logs[0]?.entries).toHaveLength(2);
  });

  it('is shared among the shards asked for, so that a long one keeps none waiting', async () => {
    const shards = [from('0'), from('0', 183), from('0', 185)];
    const { logs } = await follow({ shards, entriesMax: 4 });
    expect(logs.map(({ shard, entries }) => [shard, entries.length])).toEqual([
      [184, 3],
      [183, 0],
      [185, 1],
    ]);
  });

  it('of one shard is refused without the others: a stale generation, one that is not here', async () => {
    const shards = [from('0'), { ...from('0', 185), generation: 2 }, from('0', 9)];
    const { logs, refused } = await follow({ shards });
    expect(logs.map(({ shard }) => shard)).toEqual([184]);
    expect(refused.map(({ shard, reason }) => [shard, reason])).toEqual([
      [185, 'staleGeneration'],
      [9, 'shardNotOwned'],
    ]);
  });

  it('is refused whole under another cluster, epoch or term, and by a leader that is asked as a follower', async () => {
    const request = { shards: [from('0')], entriesMax: 10, soleVoter: true };
    for (const [wrong, reason] of [
      [{ ...CLUSTER, cluster: 'c2' }, 'wrongCluster'],
      [{ ...CLUSTER, epoch: 2 }, 'staleEpoch'],
      [{ ...CLUSTER, term: 2 }, 'staleTerm'],
    ] as const) {
      expect(await readLog(reader, wrong, request, DEADLINE)).toMatchObject({ kind: 'refused', reason });
      expect(await readLogAtLeader(gateway, wrong, request, DEADLINE)).toMatchObject({
        kind: 'refused',
        reason,
      });
    }
    expect(await readLog(gateway, CLUSTER, request, DEADLINE)).toMatchObject({ reason: 'notFollower' });
    expect(await readLogAtLeader(reader, CLUSTER, request, DEADLINE)).toMatchObject({ reason: 'notLeader' });
  });

  it('is of unknown age for a shard that is sealed: another cluster may own it by now', async () => {
    const superuser = await pair.leader.connect('superuser');
    await superuser.query(`update capstan.shard_authority set state = 'sealed' where shard_id = 185`);
    await beatOnce();
    await replayed();
    const { at, logs } = await follow({ shards: [from('0'), from('0', 185)] });
    expect(logs.map((log) => [log.shard, log.at])).toEqual([
      [184, at],
      [185, null],
    ]);
  });
});
