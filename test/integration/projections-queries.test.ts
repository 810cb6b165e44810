import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../src/domain/log-entry.ts';
import { foldDecisions } from '../../src/projections/fold.ts';
import type { FoundDecision } from '../../src/projections/queries/search-decisions.ts';
import { ProjectionReader } from '../../src/projections/reader.ts';
import type { SearchQuery } from '../../src/projections/search-query.ts';
import { verifyShard } from '../../src/projections/verify/verify-shard.ts';
import { closeConnection, connect } from '../../src/postgres/connection.ts';
import { lineageRow, LogModel, someCommands } from '../support/log-model.ts';
import { answerOf, pagesOf, startProjections, type TestProjections } from '../support/projections.ts';

const SHARDS = [3, 4];
let projections: TestProjections;
let reader: ProjectionReader;
const logs = new Map<number, LogEntry[]>();

beforeAll(async () => {
  projections = await startProjections();
  reader = await ProjectionReader.open({
    ...projections.poolOptions('projections_reader'),
    deadlineMs: 10_000,
    nowMs: () => Date.now(),
    clockSkewMaxMs: 500,
    budgets: { dashboardMs: 2_000, searchMs: 5_000, riskMs: 10_000 },
  });
  for (const shard of SHARDS) {
    logs.set(shard, new LogModel().run(someCommands(400, shard)).entries);
    await advance(shard);
  }
});
afterAll(async () => {
  await reader?.close();
  await projections?.stop();
});

async function advance(shard: number): Promise<void> {
  const [held] = (await projections.store.watermarks([shard])).values();
  await projections.store.apply({
    cluster: 'c1',
    log: answerOf(shard, logs.get(shard) ?? [], Number(held?.position ?? 0)),
    asOf: new Date().toISOString(),
    source: 'p1/c1',
  });
}

async function decideMore(shard: number, count: number): Promise<void> {
  const model = LogModel.of(logs.get(shard) ?? [], { generation: 1, term: 1 });
  logs.set(shard, model.run([...someCommands(count, shard + 7)].slice(2)).entries);
  await advance(shard);
}

async function searchAll(
  query: SearchQuery,
  limit: number,
  between = async () => {},
): Promise<FoundDecision[]> {
  const found: FoundDecision[] = [];
  let page: string | undefined;
  do {
    const result = await reader.search({ query, shards: SHARDS, limit, page });
    found.push(...result.found);
    page = result.nextPage ?? undefined;
    await between();
  } while (page !== undefined);
  return found;
}

const rowsAt = () =>
  SHARDS.flatMap((shard) =>
    [...foldDecisions(logs.get(shard) ?? []).decisions.values()].map((row) => ({ ...row, shard })),
  );
const idOf = ({ shard, position }: { shard: number; position: string }) => `${shard}@${position}`;
const sorted = (rows: readonly { shard: number; position: string }[]) => rows.map(idOf).toSorted();

const sum = (values: string[]): string =>
  values.reduce((total, value) => total + BigInt(value), 0n).toString();

describe('compliance search', () => {
  it('filters by desk, amount, time, status and event as the fold does', async () => {
    const rows = rowsAt();
    const cases: [SearchQuery, (row: (typeof rows)[number]) => boolean][] = [
      [{ desk: 'ny-muni-1' }, (row) => row.desk === 'ny-muni-1'],
      [
        { amountMinCents: '1200', amountMaxCents: '1300' },
        (row) => row.amount !== null && +row.amount >= 1200 && +row.amount <= 1300,
      ],
      [{ status: 'open' }, (row) => row.status === 'open'],
      [{ status: 'released' }, (row) => row.status === 'released'],
      [{ status: 'rejected' }, (row) => row.status === 'rejected'],
      [{ event: 'corrected' }, (row) => row.event === 'corrected'],
      [{ issuer: 'MUNI-*' }, (row) => row.issuer.startsWith('MUNI-')],
      [{ issuer: 'CORP-12' }, (row) => row.issuer === 'CORP-12'],
      [{ issuerContains: 'orp-1' }, (row) => row.issuer === 'CORP-12'],
      [
        { from: rows[50]?.decided_at ?? '', to: rows[90]?.decided_at ?? '' },
        (row) =>
          row.decided_at >= (rows[50]?.decided_at ?? '') && row.decided_at < (rows[90]?.decided_at ?? ''),
      ],
      [{ text: 'ops 4711' }, (row) => row.reason?.includes('OPS-4711') ?? false],
    ];
    for (const [query, expected] of cases) {
      const found = await searchAll(query, 40);
      expect({ query, found: sorted(found) }).toEqual({ query, found: sorted(rows.filter(expected)) });
      expect(found.length).toBeGreaterThan(0);
    }
  });

  it('puts what has the very id first, then the issuer, then words; newest first', async () => {
    const wanted = rowsAt().find((row) => row.event === 'reserved' && row.issuer === 'MUNI-77');
    const found = await reader.search({ query: { text: wanted?.token ?? '' }, shards: SHARDS, limit: 5 });
    expect(found.found.map(({ match }) => match)).toEqual(SHARDS.map(() => 'id'));
    expect(found.found[0]?.token).toBe(wanted?.token);
    const named = await searchAll({ text: 'MUNI-77' }, 100);
    // A row of another issuer has both words too, in its desk and its token.
    expect(new Set(named.map(({ match }) => match))).toEqual(new Set(['issuer', 'words']));
    expect(named.map(({ match }) => match)).toEqual(named.map(({ match }) => match).toSorted());
    expect((await searchAll({ text: 'muni' }, 500)).every(({ match }) => match === 'words')).toBe(true);
    expect((await searchAll({ text: 'UNI-7' }, 500)).every(({ match }) => match === 'issuer_part')).toBe(
      true,
    );
    const times = named.filter(({ match }) => match === 'issuer').map(({ decided_at }) => decided_at);
    expect(times).toEqual(times.toSorted().toReversed());
  });

  it('pages show what the first began under, whatever is decided and released meanwhile', async () => {
    const query = { status: 'open' } as const;
    const before = sorted(rowsAt().filter((row) => row.status === 'open'));
    const found = await searchAll(query, 17, async () => {
      for (const shard of SHARDS) await decideMore(shard, 30);
    });
    expect(sorted(found)).toEqual(before);
    const again = sorted(await searchAll(query, 100));
    expect(again).toEqual(sorted(rowsAt().filter((row) => row.status === 'open')));
    expect(again).not.toEqual(before);
  });

  it('says of each shard how far it goes and how old that is, and of a shard nobody follows that it is unknown', async () => {
    for (const shard of SHARDS) await advance(shard);
    const { freshness } = await reader.search({ query: {}, shards: SHARDS, limit: 1 });
    expect(freshness.withinBudget).toBe(true);
    expect(freshness.shards.map(({ position }) => Number(position))).toEqual(
      SHARDS.map((shard) => logs.get(shard)?.length),
    );
    const wider = await reader.search({ query: {}, shards: [...SHARDS, 9], limit: 1 });
    expect(wider.freshness).toMatchObject({ stalenessMs: null, withinBudget: false });
  });
});

describe('the issuer dashboard and the risk report', () => {
  it('show the fold, and further pages the moment of the first', async () => {
    const { fold } = foldDecisions(logs.get(3) ?? []);
    const request = { shard: 3, issuer: 'MUNI-77', limit: 10, recentMax: 20 };
    const first = await reader.dashboard(request);
    const expected = fold.issuers.get('MUNI-77');
    expect(first.issuer).toMatchObject({
      limit: expected?.limit_cents,
      reserved: expected?.reserved_cents,
      open_count: expected?.open_count,
    });
    expect(first.recent).toHaveLength(20);
    const open = [...first.open];
    let next = first.nextPage;
    while (next !== null) {
      await decideMore(3, 20);
      const page = await reader.dashboard({ ...request, page: next });
      expect(page.issuer).toEqual(first.issuer);
      open.push(...page.open);
      next = page.nextPage;
    }
    const wanted = [...fold.open]
      .filter(([key]) => key.startsWith('MUNI-77\u0000'))
      .map(([, row]) => row.reservation_token);
    expect(open.map(({ token }) => token).toSorted()).toEqual(wanted.toSorted());
  });

  it('exposure by shard, desk and utilisation is that of the folds together', async () => {
    const folds = SHARDS.map((shard) => foldDecisions(logs.get(shard) ?? []).fold);
    const report = await reader.risk({ shards: SHARDS });
    const reserved = sum(
      folds.flatMap((fold) => [...fold.issuers.values()].map((row) => row.reserved_cents)),
    );
    expect(sum(report.shards.map((row) => row.reserved))).toBe(reserved);
    expect(sum(report.desks.map((row) => row.reserved))).toBe(reserved);
    expect(sum(report.bands.map((row) => row.reserved))).toBe(reserved);
    for (const { desk, open_count } of report.desks) {
      expect(open_count).toBe(sum(folds.map((fold) => fold.desks.get(desk)?.open_count ?? '0')));
    }
  });
});

const verify = async (shard: number, log: readonly LogEntry[]) => {
  const client = await connect(projections.poolOptions('projections_reader'));
  try {
    return await verifyShard({ client, shard, pages: pagesOf(log, 70), differencesMax: 50 });
  } finally {
    await closeConnection(client);
  }
};

describe('verification', () => {
  it('finds each row that was edited, is missing or too many by hand; a rebuild mends them', async () => {
    const log = logs.get(4) ?? [];
    expect(await verify(4, log)).toMatchObject({ equal: true, differences: 0, position: String(log.length) });
    const open = rowsAt().findLast((row) => row.shard === 4 && row.status === 'open');
    const released = rowsAt().find((row) => row.shard === 4 && row.status === 'released');
    for (const [text, values] of [
      [
        'update projection.decision set amount_cents = 1 where shard_id = 4 and position = $1',
        [open?.position],
      ],
      [
        `update projection.decision set status = 'open', released_position = null where shard_id = 4 and position = $1`,
        [released?.position],
      ],
      ['delete from projection.decision where shard_id = 4 and position = 10', []],
      ['update projection.issuer set reserved_cents = 7 where shard_id = 4 and issuer_id = $1', ['MUNI-77']],
      ['delete from projection.open_reservation where shard_id = 4 and position = $1', [open?.position]],
      [`insert into projection.desk_exposure values (4, 'nobody', 1, 1, 1)`, []],
    ] as const) {
      await projections.admin.query(text, [...values]);
    }
    const { equal, first } = await verify(4, log);
    expect(equal).toBe(false);
    expect(first.map(({ table, key, kind }) => `${table} ${key} ${kind}`).toSorted()).toEqual(
      [
        `decision ${open?.position} differs`,
        `decision ${released?.position} differs`,
        'decision 10 missing',
        'issuer MUNI-77 differs',
        `open_reservation ${open?.issuer}/${open?.reservation} missing`,
        'desk_exposure nobody extra',
      ].toSorted(),
    );
    const request = { cluster: 'c1', shard: 4, why: 'verify', by: 'ana', lineage: [lineageRow(1, 1, 1)] };
    await projections.store.rebuild({ ...request, pages: pagesOf(log) });
    expect(await verify(4, log)).toMatchObject({ equal: true, differences: 0 });
  });

  it('tells a log that differs in one byte of one old decision, and one that is too short', async () => {
    const log = logs.get(3) ?? [];
    const other = log.map((entry, i) => (i === 20 ? { ...entry, desk: `${entry.desk}x` } : entry));
    const { first } = await verify(3, other);
    expect(first.map(({ table }) => table)).toEqual(expect.arrayContaining(['decision', 'watermark']));
    await expect(verify(3, log.slice(0, 100))).rejects.toMatchObject({ code: 'projection_log_short' });
  });
});
