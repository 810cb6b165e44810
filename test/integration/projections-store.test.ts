import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHAIN_START, chainAfter, type LogEntry } from '../../src/domain/log-entry.ts';
import { LogModel, lineageRow, someCommands } from '../support/log-model.ts';
import { answerOf, pagesOf, startProjections, type TestProjections } from '../support/projections.ts';

const AT = '2026-11-30T12:00:00.000Z';
const LATER = '2026-11-30T12:00:05.000Z';

let projections: TestProjections;
let nextShard = 0;

beforeAll(async () => {
  projections = await startProjections();
});
afterAll(() => projections?.stop());

const someLog = (count: number, salt?: number): LogEntry[] =>
  new LogModel().run(someCommands(count, salt)).entries;

function apply(
  shard: number,
  log: readonly LogEntry[],
  from: number,
  options: Parameters<typeof answerOf>[3] = {},
) {
  return projections.store.apply({
    cluster: 'c1',
    log: answerOf(shard, log, from, options),
    asOf: AT,
    source: 'p1/c1',
  });
}

async function watermark(shard: number) {
  const { rows } = await projections.admin.query(
    `select *, (select m.as_of from projection.source_mark m where m.source = w.source) as mark
      from projection.watermark w where shard_id = $1`,
    [shard],
  );
  return rows[0];
}

const countOf = async (table: string, shard: number): Promise<number> =>
  (
    await projections.admin.query(
      `select count(*)::integer as n from projection.${table} where shard_id = $1`,
      [shard],
    )
  ).rows[0].n;

describe('applying a log', () => {
  it('batches leave the rows, the position and the chain of one log', async () => {
    const shard = nextShard++;
    const log = someLog(500);
    for (let from = 0; from < log.length; from += 60) {
      expect(await apply(shard, log, from, { count: 60 })).toMatchObject({ kind: 'applied', repeats: 0 });
    }
    expect(await countOf('decision', shard)).toBe(log.length);
    const { position, chain, as_of, state } = await watermark(shard);
    expect({ position, state, as_of }).toEqual({
      position: String(log.length),
      state: 'live',
      as_of: new Date(AT),
    });
    let expected: Buffer = CHAIN_START;
    for (const entry of log) expected = chainAfter(expected, entry);
    expect(chain.equals(expected)).toBe(true);
  });

  it('entries that were applied before are skipped, and what follows them is applied', async () => {
    const shard = nextShard++;
    const log = someLog(100);
    await apply(shard, log, 0, { count: 60 });
    expect(await apply(shard, log, 40)).toEqual({
      kind: 'applied',
      position: String(log.length),
      entries: log.length - 60,
      repeats: 20,
    });
    expect(await countOf('decision', shard)).toBe(log.length);
  });

  it('a gap changes no row, is said, and heals with the entries that were missing', async () => {
    const shard = nextShard++;
    const log = someLog(100);
    await apply(shard, log, 0, { count: 50 });
    expect(await apply(shard, log, 55)).toMatchObject({ kind: 'gap' });
    expect(await watermark(shard)).toMatchObject({ state: 'gap', position: '50' });
    expect(await apply(shard, log, 50)).toMatchObject({ kind: 'applied' });
    expect(await watermark(shard)).toMatchObject({ state: 'live', position: String(log.length) });
  });

  it('an answer below the bound leaves no claim of being fresh', async () => {
    const shard = nextShard++;
    const log = someLog(100);
    await apply(shard, log, 0, { count: 50 });
    expect((await watermark(shard)).as_of).toBeNull();
  });

  it('a member whose head or lineage is behind changes nothing', async () => {
    const shard = nextShard++;
    const log = someLog(100);
    const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 60)];
    const model = LogModel.of(log.slice(0, 59), { generation: 1, term: 2 }).run(
      [...someCommands(40)].slice(2),
    );
    await apply(shard, model.entries, 0, { lineage });
    const before = await watermark(shard);
    expect(await apply(shard, model.entries.slice(0, 70), 70, { lineage })).toMatchObject({ kind: 'behind' });
    expect(await apply(shard, log, 59)).toMatchObject({ kind: 'behind' });
    expect(await watermark(shard)).toEqual(before);
  });
});

describe('a fork', () => {
  it('is found by the lineage, and a rebuild leaves the rows of the new log alone', async () => {
    const shard = nextShard++;
    const old = someLog(100);
    await apply(shard, old, 0);
    const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 91)];
    const kept = LogModel.of(old.slice(0, 90), { generation: 1, term: 2 });
    const renewed = kept.run([...someCommands(60, 2)].slice(2)).entries;
    expect(await apply(shard, renewed, old.length, { lineage })).toMatchObject({ kind: 'forked' });
    expect(await watermark(shard)).toMatchObject({ state: 'forked', source: null });
    expect(await apply(shard, renewed, old.length, { lineage })).toMatchObject({ kind: 'forked' });
    const request = { cluster: 'c1', shard, why: 'forked', by: 'projector:p1', lineage };
    await projections.store.rebuild({ ...request, pages: pagesOf(renewed) });
    expect(await watermark(shard)).toMatchObject({
      state: 'live',
      rebuilds: 1,
      position: String(renewed.length),
      term: 2,
    });
    expect(await countOf('decision', shard)).toBe(renewed.length);
    const { rows } = await projections.admin.query('select * from projection.rebuild where shard_id = $1', [
      shard,
    ]);
    expect(rows).toMatchObject([
      {
        from_position: String(old.length),
        to_position: String(renewed.length),
        requested_by: 'projector:p1',
      },
    ]);
  });

  it('is found by the entry at the watermark although the lineage agrees', async () => {
    const shard = nextShard++;
    const log = someLog(50);
    await apply(shard, log, 0);
    const other = log.map((entry, i) => (i === log.length - 1 ? { ...entry, token: 'tok-other' } : entry));
    expect(await apply(shard, other, log.length)).toMatchObject({ kind: 'forked' });
  });

  it('no rebuild takes pages that mix two logs; the shard waits for the next', async () => {
    const shard = nextShard++;
    const old = someLog(100);
    await apply(shard, old, 0);
    const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 91)];
    const request = { cluster: 'c1', shard, why: 'forked', by: 'projector:p1', lineage };
    await expect(projections.store.rebuild({ ...request, pages: pagesOf(old) })).rejects.toMatchObject({
      code: 'projection_log_broken',
    });
    expect(await countOf('decision', shard)).toBe(old.length);
    expect(await apply(shard, old, old.length)).toMatchObject({ kind: 'rebuild', why: 'forked' });
  });
});

describe('paused, or asked for a rebuild', () => {
  it('nothing is applied to a paused shard, and nothing rebuilt', async () => {
    const shard = nextShard++;
    const log = someLog(20);
    await projections.admin.query(
      `insert into projection.pause (shard_id, reason, operator) values ($1, 'looking', 'ana')`,
      [shard],
    );
    expect(await apply(shard, log, 0)).toEqual({ kind: 'paused' });
    const request = { cluster: 'c1', shard, why: 'x', by: 'y', lineage: [lineageRow(1, 1, 1)] };
    await expect(projections.store.rebuild({ ...request, pages: pagesOf(log) })).rejects.toMatchObject({
      code: 'projection_paused',
    });
    expect(await countOf('decision', shard)).toBe(0);
  });

  it('a request for a rebuild is answered instead of applying, and closed by the rebuild', async () => {
    const shard = nextShard++;
    const log = someLog(20);
    await projections.admin.query(
      `insert into projection.rebuild (shard_id, reason, requested_by) values ($1, 'drill', 'ana')`,
      [shard],
    );
    expect(await apply(shard, log, 0)).toEqual({ kind: 'rebuild', why: 'drill' });
    const request = { cluster: 'c1', shard, why: 'asked', by: 'p1', lineage: [lineageRow(1, 1, 1)] };
    await projections.store.rebuild({ ...request, pages: pagesOf(log) });
    expect(await apply(shard, log, log.length)).toMatchObject({ kind: 'applied', entries: 0 });
  });
});

const mark = (source: string, asOf: string, shards: number[]) =>
  projections.store.mark({ source, cluster: 'c1', member: 'c1-b', asOf, shards });

describe('a mark', () => {
  it('speaks for the shards that it names, and for one that it leaves out no longer', async () => {
    const [one, two] = [nextShard++, nextShard++];
    const log = someLog(10);
    await apply(one, log, 0);
    await apply(two, log, 0);
    await mark('p1/c1', AT, [one, two]);
    expect(await watermark(one)).toMatchObject({ source: 'p1/c1', mark: new Date(AT) });
    await mark('p1/c1', LATER, [one]);
    expect(await watermark(one)).toMatchObject({ mark: new Date(LATER) });
    expect(await watermark(two)).toMatchObject({ source: null, as_of: new Date(AT) });
  });

  it('that is older than the last one of its source takes no proof away and lends none', async () => {
    const [one, two] = [nextShard++, nextShard++];
    const log = someLog(10);
    await apply(one, log, 0);
    await apply(two, log, 0, { count: 10, bound: 10 });
    await mark('p2/c1', LATER, [one]);
    await mark('p2/c1', AT, [one, two]);
    expect(await watermark(one)).toMatchObject({ as_of: new Date(LATER), mark: new Date(AT) });
    expect(await watermark(two)).toMatchObject({ as_of: new Date(AT), mark: new Date(AT) });
  });

  it('speaks for no shard whose database has lost what the projector believes to be applied', async () => {
    const shard = nextShard++;
    const log = someLog(10);
    await apply(shard, log, 0);
    await projections.admin.query(
      'update projection.watermark set position = 5, as_of = null where shard_id = $1',
      [shard],
    );
    await mark('p3/c1', LATER, [shard]);
    expect(await watermark(shard)).toMatchObject({ source: null, as_of: null });
  });
});
