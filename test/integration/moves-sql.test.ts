import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalSession } from '../../src/agent/local-session.ts';
import type { LostDecision } from '../../src/domain/loss-records.ts';
import { lostRows } from '../../src/agent/salvage/lost-rows.ts';
import { decide } from '../../src/reservations/client.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import { sealShards, WIPE_REFUSED, wipeShards, type WipeShards } from '../../src/reservations/moves-sql.ts';
import { readAuthority, readHeads, readLineage } from '../../src/reservations/state-sql.ts';
import { sqlStateOf } from '../../src/postgres/connection.ts';
import { SCOPE, startPostgres, TEST_SHARDS, type TestPostgres, waitUntil } from '../support/postgres.ts';
import { decided, reserve, setLimit } from '../support/reservation-commands.ts';

/** Of a shard that another cluster owns, as a copy would bring it. */
const COPIED = 300;
const HANDED_OVER = 301;

let postgres: TestPostgres;
let gateway: Client;
let agent: Client;
let superuser: Client;
let tokens = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  gateway = await postgres.connect('gateway');
  agent = await postgres.connect('agent');
  superuser = await postgres.connect('superuser');
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
});
afterAll(() => postgres.stop());

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => sqlStateOf(error) ?? String(error),
  );

const fresh = () => {
  tokens += 1;
  return reserve(`t-${tokens}`, 1n);
};

const served = (over: object = {}) =>
  TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const, ...over }));

async function decision(): Promise<string> {
  const result = await decide(gateway, SCOPE, [fresh()], { deadlineMs: 10_000 });
  return result.kind === 'refused' ? result.reason : result.kind;
}

/** So many log rows, and a head, of a shard that isn't owned here. */
async function copyIn(shard: number, rows: number): Promise<void> {
  await superuser.query(
    `insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token, decided_at)
      select $1, n, 1, 1, 'reserved', 'i', 'd', 't' || n, now() from generate_series(1, $2::int) n
      on conflict do nothing`,
    [shard, rows],
  );
  await superuser.query(
    `insert into capstan.shard_head (shard_id, position, generation, term, epoch) values ($1, $2, 1, 1, 1)
      on conflict do nothing`,
    [shard, rows],
  );
}

const rowsOf = async (shard: number) => {
  const { rows } = await superuser.query<{ n: number }>(
    'select count(*)::int as n from capstan.outbox where shard_id = $1',
    [shard],
  );
  return rows[0]?.n;
};

const seal = (over: object = {}) =>
  sealShards(agent, {
    cluster: 'c1',
    term: 1,
    shards: [{ shard: 184, generation: 1, mapVersion: 5 }],
    marker: 's1',
    ...over,
  });

const adoptVersion = (mapVersion: number) =>
  adoptTerm(agent, { ...SCOPE, reason: 'map', shards: served({ mapVersion }) });

describe('the seal', () => {
  test('waits for the batch in flight, then answers where the shard stands for good', async () => {
    const holder = await postgres.connect('superuser');
    await holder.query('begin');
    await holder.query('select 1 from capstan.shard_head where shard_id = 184 for update');
    let sealed: Awaited<ReturnType<typeof seal>> | undefined;
    const sealing = seal().then((positions) => (sealed = positions));
    await waitUntil('the seal waits for the head', async () => {
      const { rows } = await superuser.query(
        `select 1 from pg_stat_activity where query like '%seal_shards%' and wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    expect(sealed).toBeUndefined();
    await holder.query('commit');
    await sealing;
    expect(sealed).toEqual({ '184': (await readHeads(agent))['184'] });
    expect(await decision()).toBe('shardSealed');
    expect(await seal()).toEqual(sealed);
    const { rows } = await superuser.query('select marker from capstan.shard_head where shard_id = 184');
    expect(rows).toEqual([{ marker: 's1' }]);
  });

  test('is not undone by an adoption of an earlier map, and is by a later one', async () => {
    expect(await codeOf(adoptVersion(4))).toBe('CP002');
    expect(await decision()).toBe('shardSealed');
    expect(await codeOf(adoptVersion(6))).toBe('done');
    expect(await decision()).toBe('decided');
  });

  test('that comes after the map has moved on seals nothing', async () => {
    expect(await codeOf(seal())).toBe('CP002');
    expect(await decision()).toBe('decided');
  });

  test('is refused for another cluster, term, generation, and for a shard that is not here', async () => {
    expect(await codeOf(seal({ cluster: 'c2' }))).toBe('CP009');
    expect(await codeOf(seal({ term: 2 }))).toBe('CP001');
    expect(await codeOf(seal({ shards: [{ shard: 184, generation: 2, mapVersion: 9 }] }))).toBe('CP002');
    expect(await codeOf(seal({ shards: [{ shard: 9, generation: 1, mapVersion: 9 }] }))).toBe('CP004');
    const short = { shard: 184, generation: 1, mapVersion: 9, handover: '1000000' };
    expect(await codeOf(seal({ shards: [short] }))).toBe('CP004');
    expect(await codeOf(sealShards(gateway, { cluster: 'c1', term: 1, shards: [], marker: '' }))).toBe(
      '42501',
    );
    expect(await decision()).toBe('decided');
  });
});

const wipe = (over: Partial<WipeShards> = {}, client = agent) =>
  wipeShards(client, {
    operation: 'rebalance-a',
    attempt: 1,
    revision: '10',
    shards: [COPIED],
    rowsMax: 40,
    ...over,
  });

describe('a wipe', () => {
  test('goes chunk by chunk and says what is left', async () => {
    await copyIn(COPIED, 100);
    expect(await wipe()).toEqual({ deleted: 40, left: 61 });
    expect(await wipe()).toEqual({ deleted: 40, left: 21 });
    expect(await wipe()).toEqual({ deleted: 21, left: 0 });
  });

  test('of a copy that was found empty takes nothing of what is copied after it', async () => {
    await copyIn(COPIED, 10);
    expect(await wipe()).toEqual({ deleted: 0, left: 0 });
    expect(await rowsOf(COPIED)).toBe(10);
  });

  test('of an earlier attempt, or decided on an earlier state of etcd, is refused', async () => {
    expect(await wipe({ attempt: 2, revision: '20', rowsMax: 100 })).toEqual({ deleted: 11, left: 0 });
    await copyIn(COPIED, 10);
    expect(await codeOf(wipe({ attempt: 1, revision: '21' }))).toBe(WIPE_REFUSED);
    expect(await codeOf(wipe({ operation: 'rebalance-0', attempt: 7, revision: '19' }))).toBe(WIPE_REFUSED);
    expect(await rowsOf(COPIED)).toBe(10);
  });

  test('that was held up until a later copy had begun takes nothing of it', async () => {
    const late = await postgres.connect('agent');
    await superuser.query('begin');
    await superuser.query('select 1 from capstan.arrival where shard_id = $1 for update', [COPIED]);
    const held = codeOf(wipe({ attempt: 3, revision: '30' }, late));
    const other = await postgres.connect('superuser');
    await waitUntil('the wipe waits for the arrival row', async () => {
      const { rows } = await other.query(
        `select 1 from pg_stat_activity where query like '%wipe_shards%' and wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await superuser.query(
      `update capstan.arrival set attempt = 4, revision = 40, wiped = true where shard_id = $1`,
      [COPIED],
    );
    await superuser.query('commit');
    expect(await held).toBe(WIPE_REFUSED);
    expect(await rowsOf(COPIED)).toBe(10);
  });

  test('of a shard that is served or sealed here is refused', async () => {
    expect(await codeOf(wipe({ shards: [COPIED, 184], attempt: 9, revision: '90' }))).toBe(WIPE_REFUSED);
    expect(await rowsOf(184)).toBeGreaterThan(0);
    const shards = served().map((one) => ({ ...one, state: 'sealed' as const }));
    await adoptTerm(agent, { ...SCOPE, reason: 'map', shards });
    expect(await codeOf(wipe({ shards: [184], attempt: 9, revision: '90' }))).toBe(WIPE_REFUSED);
    await adoptTerm(agent, { ...SCOPE, reason: 'map', shards: served() });
    expect(await rowsOf(184)).toBeGreaterThan(0);
  });
});

const adoptHandedOver = (handover: string) =>
  adoptTerm(agent, {
    ...SCOPE,
    reason: 'map',
    shards: [...served(), { shard: HANDED_OVER, generation: 2, state: 'serving' as const, handover }],
  });

const stateOf = async (wanted: number) =>
  (await readAuthority(agent)).find(({ shard }) => shard === wanted)?.state;

describe('a shard that was handed over', () => {
  test('stays shut, without lineage, while its rows end below the handover', async () => {
    await copyIn(HANDED_OVER, 10);
    expect(await adoptHandedOver('11')).toMatchObject({ withheld: 1 });
    expect(await stateOf(HANDED_OVER)).toBe('sealed');
    expect(await readLineage(agent, HANDED_OVER)).toEqual([]);
  });

  test('opens once they reach it, with a lineage row that begins after it', async () => {
    expect(await adoptHandedOver('10')).toMatchObject({ withheld: 0 });
    expect(await stateOf(HANDED_OVER)).toBe('serving');
    expect(await readLineage(agent, HANDED_OVER)).toMatchObject([{ generation: 2, firstPosition: '11' }]);
  });
});

test('salvage lists what was decided on own shards beyond the cut, and no row that a move brought', async () => {
  await copyIn(COPIED, 10);
  await superuser.query(
    `insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, outcome, position,
        generation, term, decided_at)
      select shard_id, issuer_id, reservation_token, 'reserve', desk, 'confirmed', position, 1, 1, now()
        from capstan.outbox where shard_id = $1`,
    [COPIED],
  );
  const session = new LocalSession({ open: () => postgres.connect('superuser'), timeoutMs: 5_000 });
  const cuts = new Map([
    [184, 1n],
    [COPIED, 1n],
  ]);
  const about = { heldBy: 'm1', maybeAcknowledged: false, chunkRows: 1_000 };
  const found: LostDecision[] = [];
  for await (const rows of lostRows(session, cuts, about)) found.push(...rows);
  await session.close();
  expect(new Set(found.map(({ shard }) => shard))).toEqual(new Set([184]));
  expect(found.length).toBe(await rowsOf(184));
});

test('the replication role reads what moves, and nothing that is local to a cluster', async () => {
  const { rows } = await superuser.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'capstan'::regnamespace and relkind = 'r'
       and has_table_privilege('capstan_replication', oid, 'select') order by 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual([
    'issuer_exposure',
    'lineage',
    'outbox',
    'reservation',
    'reservation_token',
    'shard_head',
  ]);
});
