import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { compareChanged } from '../../src/controlplane/rebalance/verify/compare-changed.ts';
import {
  compareStream,
  type CompareStreamOptions,
} from '../../src/controlplane/rebalance/verify/compare-stream.ts';
import type { Positions, VerificationCursor } from '../../src/domain/move-records.ts';
import { release, reserve, setLimit } from '../support/reservation-commands.ts';
import { startTwoSides, type TwoTestSides } from '../support/two-sides.ts';

const LARGE = 184;
const SMALL = 183;
const LARGE_ROWS = 12_000;
const BATCH = 1_000;

let sides: TwoTestSides;
let tokens = 0;

beforeAll(async () => {
  sides = await startTwoSides();
  for (const shard of [LARGE, SMALL]) {
    await sides.decide(
      shard,
      ...Array.from({ length: 20 }, (_, n) => setLimit(`limit-${n}`, 10_000n, { issuer: `I-${n}` })),
    );
  }
  for (let first = 0; first < LARGE_ROWS; first += BATCH) await decideSome(LARGE, BATCH);
  await decideSome(SMALL, 100);
  await sides.decide(SMALL, release('release-1', 'R-0', { issuer: 'I-0' }));
  await sides.copy([LARGE, SMALL]);
  const vacuum = 'vacuum analyze';
  await Promise.all([sides.ownerByHand.query(vacuum), sides.otherByHand.query(vacuum)]);
}, 120_000);
afterAll(() => sides.stop());

/** Reserves under fresh tokens, spread over the issuers; the first reservation of a small shard is `R-0` of `I-0`. */
async function decideSome(shard: number, count: number): Promise<void> {
  const first = tokens;
  tokens += count;
  await sides.decide(
    shard,
    ...Array.from({ length: count }, (_, n) =>
      reserve(`t-${first + n}`, 1n, {
        issuer: `I-${n % 20}`,
        reservation: shard === SMALL ? `R-${first + n - LARGE_ROWS}` : `R-${first + n}`,
      }),
    ),
  );
}

/** Each look is later by more than a snapshot is used for: one chunk a snapshot. */
function hastyClock(): Clock {
  let nowMs = 0;
  return { ...systemClock, monotonicMs: () => (nowMs += 1_001), sleep: async () => undefined };
}

const compare = (options: Partial<CompareStreamOptions> = {}) =>
  compareStream({
    sides,
    shards: [SMALL],
    cursor: null,
    onProgress: async () => undefined,
    clock: systemClock,
    ...options,
  });

const since = (positions: Positions, sealed: boolean, shards = [SMALL]) =>
  compareChanged({ sides, shards, since: positions, sealed, differencesMax: 100, clock: systemClock });

async function positionOf(shard: number): Promise<bigint> {
  const { rows } = await sides.owner.query<{ position: string }>(
    'select position::text from capstan.shard_head where shard_id = $1',
    [shard],
  );
  return BigInt(rows[0]?.position ?? 0);
}

describe('two sides that hold the same', () => {
  it('are equal, whatever the size of a chunk', async () => {
    const began = performance.now();
    const large = await compare({ shards: [LARGE, SMALL] });
    const seconds = (performance.now() - began) / 1_000;
    console.log(
      `${large.verification.rows} rows in ${seconds.toFixed(2)} s: ${Math.round(Number(large.verification.rows) / seconds)} rows/s`,
    );
    expect(large.differences).toEqual([]);
    expect(Number(large.verification.rows)).toBeGreaterThan(3 * LARGE_ROWS);
    expect(large.verification).toMatchObject({
      laterRows: '0',
      positions: { [LARGE]: String(await positionOf(LARGE)), [SMALL]: String(await positionOf(SMALL)) },
    });
    const small = await compare({ chunkRows: 7, clock: hastyClock() });
    const whole = await compare();
    expect(small.differences).toEqual([]);
    expect(small.verification.rows).toBe(whole.verification.rows);
  });

  it('are equal whatever the servers’ settings for time zones and bytes are', async () => {
    await sides.other.query(
      `set timezone = 'Asia/Tokyo'; set bytea_output = 'escape'; set datestyle = 'German'`,
    );
    expect((await compare()).differences).toEqual([]);
  });
});

describe('what differs is named by table, key and column', () => {
  beforeEach(() => sides.copy([SMALL]));
  afterAll(() => sides.copy([SMALL]));

  it.each([
    ['issuer_exposure', `open_count = 99`, `issuer_id = 'I-3'`, ['I-3'], 'open_count'],
    ['reservation', `status = 'released'`, `reservation_id = 'R-7'`, ['I-7', 'R-7'], 'status'],
    [
      'reservation_token',
      `body_hash = null`,
      `reservation_token = 'limit-4'`,
      ['I-4', 'limit-4'],
      'body_hash',
    ],
    ['outbox', `desk = 'else'`, `position = 50`, ['50'], 'desk'],
    ['lineage', `reason = 'else'`, `term = 1`, ['1', '1'], 'reason'],
  ])('a changed column, a missing and an extra row of %s', async (table, change, where, key, column) => {
    const of = `where shard_id = ${SMALL} and ${where}`;
    await sides.otherByHand.query(`update capstan.${table} set ${change} ${of}`);
    expect((await compare()).differences).toMatchObject([{ shard: SMALL, table, key, column }]);
    await sides.otherByHand.query(`delete from capstan.${table} ${of}`);
    expect((await compare()).differences).toMatchObject([{ table, key, column: null, other: null }]);
    await sides.copy([SMALL]);
    await sides.otherByHand.query(
      `create temp table extra as select * from capstan.${table} where shard_id = ${SMALL} limit 1;
       update extra set ${{ issuer_exposure: `issuer_id = 'I-X'`, reservation: `reservation_id = 'X'`, reservation_token: `reservation_token = 'X'`, outbox: 'position = 9999', lineage: 'term = 77' }[table]};
       insert into capstan.${table} select * from extra; drop table extra`,
    );
    expect((await compare()).differences).toMatchObject([{ table, column: null, owner: null }]);
  });

  it('a head that says another term than its log', async () => {
    await sides.otherByHand.query(`update capstan.shard_head set term = 9 where shard_id = ${SMALL}`);
    expect((await compare()).differences).toMatchObject([
      { table: 'shard_head', key: [], column: 'term', owner: '1', other: '9' },
    ]);
  });

  it('no more than a bounded number of them', async () => {
    await sides.otherByHand.query(`delete from capstan.outbox where shard_id = ${SMALL}`);
    expect((await compare({ differencesMax: 12 })).differences).toHaveLength(12);
  });

  it('a position that neither log has', async () => {
    const gap = `delete from capstan.outbox where shard_id = ${SMALL} and position = 60`;
    const { rows } = await sides.ownerByHand.query(`${gap} returning *`);
    await sides.otherByHand.query(gap);
    const expected = [{ table: 'outbox', key: ['60'], column: null, owner: null, other: null }];
    expect((await compare()).differences).toMatchObject(expected);
    expect((await since({ [SMALL]: '40' }, true)).differences).toMatchObject(expected);
    await sides.ownerByHand.query(
      'insert into capstan.outbox select * from json_populate_recordset(null::capstan.outbox, $1)',
      [JSON.stringify(rows)],
    );
  });

  it('among what was decided since, in each table', async () => {
    const position = await positionOf(SMALL);
    await decideSome(SMALL, 5);
    await sides.copy([SMALL]);
    const [token, reservation] = [`t-${tokens - 1}`, `R-${tokens - 1 - LARGE_ROWS}`];
    for (const [table, change, where] of [
      ['issuer_exposure', 'reserved_cents = 7', `issuer_id = 'I-4'`],
      ['reservation', `desk = 'else'`, `reservation_id = '${reservation}'`],
      ['reservation_token', `reason = 'else'`, `reservation_token = '${token}'`],
      ['outbox', 'amount_cents = 7', `position = ${position + 2n}`],
    ]) {
      await sides.otherByHand.query(
        `update capstan.${table} set ${change} where shard_id = ${SMALL} and ${where}`,
      );
      const { differences } = await since({ [SMALL]: String(position) }, true);
      expect(differences).toMatchObject([{ table, column: change?.split(' ')[0] }]);
      await sides.copy([SMALL]);
    }
    expect((await since({ [SMALL]: String(position) }, true)).differences).toEqual([]);
  });
});

describe('what owner decides meanwhile', () => {
  beforeEach(() => sides.copy([LARGE, SMALL]));

  it('is no difference, and is counted', async () => {
    const position = await positionOf(SMALL);
    await decideSome(SMALL, 3);
    await sides.decide(
      SMALL,
      release(`release-${tokens}`, `R-${tokens - 1 - LARGE_ROWS}`, { issuer: 'I-2' }),
    );
    const { verification, differences } = await compare();
    expect(differences).toEqual([]);
    // Three exposures, three reservations, four tokens, four of the log.
    expect(verification).toMatchObject({ laterRows: '14', positions: { [SMALL]: String(position) } });
  });

  it('is compared at the end where it reached the other side behind the comparison', async () => {
    let turns = 0;
    const rest = async () => {
      turns += 1;
      if (turns !== 4) return;
      await decideSome(SMALL, 5);
      await sides.copy([SMALL]);
      await sides.otherByHand.query(
        `update capstan.issuer_exposure set open_count = 77 where shard_id = ${SMALL} and issuer_id = 'I-0'`,
      );
    };
    const { differences, verification } = await compare({ chunkRows: 10, clock: hastyClock(), rest });
    expect(verification.positions).toEqual({ [SMALL]: String(await positionOf(SMALL)) });
    expect(differences).toMatchObject([{ table: 'issuer_exposure', key: ['I-0'], column: 'open_count' }]);
  });

  it('is waited for when the other side has it before owner shows it, and not for ever', async () => {
    await sides.otherByHand.query(
      `update capstan.shard_head set position = position + 1 where shard_id = ${SMALL}`,
    );
    await expect(compare({ clock: hastyClock() })).rejects.toMatchObject({ code: 'move_owner_behind' });
  });
});

describe('a comparison that was interrupted', () => {
  beforeEach(() => sides.copy([LARGE, SMALL]));

  it('goes on from its cursor and compares the rest', async () => {
    const stopping = new AbortController();
    let cursor: VerificationCursor | null = null;
    const shards = [LARGE, SMALL];
    const stopped = compare({
      shards,
      clock: hastyClock(),
      signal: stopping.signal,
      onProgress: async (at) => {
        cursor = at;
        if (at.table === 'reservation_token') stopping.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'operation_interrupted' });
    const resumedAt: VerificationCursor[] = [];
    const rest = await compare({
      shards,
      cursor,
      clock: hastyClock(),
      onProgress: async (at) => void resumedAt.push(at),
    });
    const whole = await compare({ shards });
    expect(resumedAt[0]?.table).toBe('reservation_token');
    expect(rest.verification.rows).toBe(whole.verification.rows);
    expect(rest.verification.positions).toEqual(whole.verification.positions);
  });

  it('has no cursor behind a difference', async () => {
    await sides.otherByHand.query(
      `update capstan.reservation set desk = 'else' where shard_id = ${LARGE} and reservation_id = 'R-5'`,
    );
    const cursors: VerificationCursor[] = [];
    const options = { shards: [LARGE], clock: hastyClock() };
    await compare({ ...options, onProgress: async (at) => void cursors.push(at) });
    expect(new Set(cursors.map(({ table }) => table))).toEqual(new Set(['reservation']));
    const again = await compare({ ...options, cursor: cursors.at(-1) ?? null });
    expect(again.differences).toMatchObject([{ table: 'reservation', column: 'desk', other: 'else' }]);
  });
});

describe('under a seal', () => {
  beforeEach(() => sides.copy([LARGE, SMALL]));

  it('unequal positions are refused', async () => {
    const position = String(await positionOf(SMALL));
    await decideSome(SMALL, 1);
    await expect(since({ [SMALL]: position }, true)).rejects.toMatchObject({ code: 'move_positions_differ' });
    expect((await since({ [SMALL]: position }, false)).positions).toEqual({ [SMALL]: position });
  });

  it('a side that stands below what was verified is refused', async () => {
    const verified = String((await positionOf(SMALL)) + 1n);
    await expect(since({ [SMALL]: verified }, true)).rejects.toMatchObject({ code: 'move_position_lost' });
  });

  it('some thousand decisions are compared at once', async () => {
    const [large, small] = [await positionOf(LARGE), await positionOf(SMALL)];
    const began = performance.now();
    const changes = await since({ [LARGE]: String(large - 3_000n), [SMALL]: '0' }, true, [LARGE, SMALL]);
    const ms = performance.now() - began;
    console.log(`sealed: ${changes.rows} rows of ${3_000n + small} decisions in ${ms.toFixed(0)} ms`);
    expect(changes.differences).toEqual([]);
    expect(changes.positions).toEqual({ [LARGE]: String(large), [SMALL]: String(small) });
  });

  it('more than one round takes is compared in several', async () => {
    const { differences, positions } = await since({}, false, [LARGE, SMALL]);
    expect(differences).toEqual([]);
    expect(positions[LARGE]).toBe(String(await positionOf(LARGE)));
  });
});
