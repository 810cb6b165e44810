import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { archiveLog } from '../../src/archive/archive-log.ts';
import { compareWithShard } from '../../src/archive/against-shards.ts';
import { FolderStore } from '../../src/archive/folder-store.ts';
import type { LogReader } from '../../src/archive/log-port.ts';
import { findPlaces, placesOf } from '../../src/archive/places.ts';
import { replayInto } from '../../src/archive/replay-into-projections.ts';
import { verifyShard } from '../../src/archive/verify-shard.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import { readLogAtLeader } from '../../src/reservations/read-log.ts';
import { grantTestLease, SCOPE, startPostgres, TEST_SHARDS, type TestPostgres } from '../support/postgres.ts';
import { startProjections, type TestProjections } from '../support/projections.ts';
import { decided, release, reserve, setLimit } from '../support/reservation-commands.ts';

const ESTATE = 'harbor-point';
const INCARNATION = 'abcd';
const DEADLINE = { deadlineMs: 10_000 };

let folder: string;
let leader: TestPostgres;
let projections: TestProjections;
let gateway: Client;
let agent: Client;
let term = SCOPE.term;

const reader: LogReader = {
  async read(requests, limit) {
    const scope = { cluster: SCOPE.cluster, epoch: SCOPE.epoch, term };
    const shards = requests.map(({ shard, after }) => ({ shard, after, generation: 1 }));
    const entriesMax = Math.min(10_000, limit * shards.length);
    const read = await readLogAtLeader(agent, scope, { shards, entriesMax }, DEADLINE);
    if (read.kind !== 'read') throw new Error(JSON.stringify(read));
    return new Map(read.logs.map((log) => [log.shard, log]));
  },
};

const store = () => new FolderStore(folder);
const archive = (close = true) =>
  archiveLog({
    store: store(),
    reader,
    estate: ESTATE,
    incarnation: INCARNATION,
    shards: TEST_SHARDS,
    close,
    limits: { segmentEntries: 100, closeAfterMs: 3_600_000, compression: 'zstd' },
    clock: systemClock,
  });
const brief = async (outcomes: ReturnType<typeof archive>) =>
  (await outcomes).map(
    ({ shard, from, to, segments, error }) =>
      `${shard}: ${from} to ${to} in ${segments}${error === null ? '' : ` ${error.code}`}`,
  );
const places = async () => placesOf(await findPlaces(store(), ESTATE, {}));

async function demandSound(): Promise<void> {
  for (const place of await places()) {
    const { problems, position, chain } = await verifyShard({ store: store(), place });
    expect(problems).toEqual([]);
    if (position === null || chain === null) throw new Error('nothing is archived');
    expect(await compareWithShard({ reader, shard: place.shard, position, chain })).toEqual({
      ahead: '0',
      problems: [],
    });
  }
}

async function decide(count: number, name: string): Promise<void> {
  const scope = { ...SCOPE, term };
  for (let n = 0; n < count; n += 40) {
    const batch = Array.from({ length: 40 }, (_, i) => `${name}-${n + i}`);
    await decided(
      gateway,
      scope,
      ...batch.map((token, i) =>
        i % 4 === 3
          ? release(token, `r-${name}-${n + i - 1}`)
          : reserve(token, 5n, { reservation: `r-${token}` }),
      ),
    );
  }
}

/** All rows of a shard's projections, but for when and how they came there. */
async function rowsOf(shard: number): Promise<unknown> {
  const { rows } = await projections.admin.query(
    `select (select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(d) order by d.position) from projection.decision d where d.shard_id = $1) as decisions,
        (select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(i) order by i.issuer_id) from projection.issuer i where i.shard_id = $1) as issuers,
        (select pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x) order by x.desk) from projection.desk_exposure x where x.shard_id = $1) as desks,
        (select pg_catalog.jsonb_build_array(w.position, w.generation, w.term, w.decided_at, encode(w.chain, 'hex'), w.last_entry) from projection.watermark w where w.shard_id = $1) as watermark`,
    [shard],
  );
  return rows[0];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-archive-'));
  [leader, projections] = await Promise.all([startPostgres(), startProjections()]);
  [gateway, agent] = await Promise.all([leader.connect('gateway'), leader.connect('reader')]);
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
  await decide(240, 'first');
  await decided(gateway, { ...SCOPE, shard: 185 }, setLimit('limit', 7n, { issuer: 'other' }));
});
afterAll(async () => {
  await Promise.all([leader?.stop(), projections?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

it('a real log is archived as far as it is closed, then all of it, then what was decided since', async () => {
  expect(await brief(archive(false))).toEqual(['183: 0 to 0 in 0', '184: 0 to 200 in 2', '185: 0 to 0 in 0']);
  expect(await brief(archive())).toEqual(['183: 0 to 0 in 0', '184: 200 to 241 in 1', '185: 0 to 1 in 1']);
  await decide(80, 'second');
  expect(await brief(Promise.all([archive(), archive(), archive()]).then(([one]) => one))).toContain(
    '184: 241 to 321 in 1',
  );
  expect(await brief(archive())).toEqual(['183: 0 to 0 in 0', '184: 321 to 321 in 0', '185: 1 to 1 in 0']);
  await demandSound();
});

it('projections that are folded from the archive alone equal those that are folded from the shards, row by row', async () => {
  for (const { shard } of await places()) {
    const log = (await reader.read([{ shard, after: '0' }], 10_000)).get(shard);
    if (log === undefined) throw new Error('no log');
    await projections.store.apply({ cluster: 'c1', log, asOf: null, source: 'test' });
    const fromShards = await rowsOf(shard);
    await projections.admin.query(`delete from projection.decision where shard_id = ${shard}`);
    const place = { estate: ESTATE, incarnation: INCARNATION, shard };
    const [replayed] = await replayInto(projections.store, {
      store: store(),
      places: [place],
      by: 'test',
      signal: new AbortController().signal,
    });
    expect(replayed).toEqual({ shard, position: log.bound, entries: Number(log.bound), error: null });
    expect(await rowsOf(shard)).toEqual(fromShards);
  }
});

it('what a failover lost stays in the archive, marked, and the projections are folded from what is live', async () => {
  const admin = await leader.connect('superuser');
  // As a promoted follower would be that had received no more than 250 positions.
  await admin.query(`begin; set local session_replication_role = replica;
    delete from capstan.outbox where shard_id = 184 and position > 250;
    update capstan.shard_head set position = 250 where shard_id = 184; commit`);
  term = 2;
  const granting = await leader.connect('agent');
  await adoptTerm(granting, {
    ...SCOPE,
    term,
    reason: 'failover',
    shards: TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const })),
  });
  await grantTestLease(leader, { term });
  await decide(40, 'third');
  const outcomes = await archive(false);
  expect(outcomes.find(({ shard }) => shard === 184)).toMatchObject({
    from: '321',
    to: '290',
    superseded: { first: '251', last: '321', by: { term: 2 } },
  });
  await demandSound();
  const place = { estate: ESTATE, incarnation: INCARNATION, shard: 184 };
  expect((await verifyShard({ store: store(), place })).strays.map(({ is }) => is)).toContain('superseded');
  const [replayed] = await replayInto(projections.store, {
    store: store(),
    places: [place],
    by: 'test',
    signal: new AbortController().signal,
  });
  expect(replayed).toMatchObject({ position: '290', error: null });
});

it('a damaged archive changes nothing of a projection', async () => {
  const place = { estate: ESTATE, incarnation: INCARNATION, shard: 184 };
  const before = await rowsOf(184);
  const broken = new (class extends FolderStore {
    override async read(key: string): Promise<Buffer | undefined> {
      const bytes = await super.read(key);
      if (key.includes('-0000000000000000200-') && bytes !== undefined)
        bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1;
      return bytes;
    }
  })(folder);
  const [replayed] = await replayInto(projections.store, {
    store: broken,
    places: [place],
    by: 'test',
    signal: new AbortController().signal,
  });
  expect(replayed?.error).toContain('was changed');
  expect(await rowsOf(184)).toEqual(before);
});
