import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decide, readIssuer, resolveToken } from '../../src/reservations/client.ts';
import { SCOPE, startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  brief,
  correct,
  decided,
  outcomesOf,
  release,
  reserve,
  setLimit,
  settle,
} from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };

let postgres: TestPostgres;
let gateway: Client;
let issuerCount = 0;
let issuer = '';
let head = 0n;

beforeAll(async () => {
  postgres = await startPostgres();
  gateway = await postgres.connect('gateway');
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  issuerCount += 1;
  issuer = `ISSUER-${issuerCount}`;
  const limit = await decided(gateway, SCOPE, setLimit('limit', 10_000n, { issuer }));
  head = BigInt(outcomesOf(limit)[0]?.position ?? 0);
});

const at = (offset: number) => String(head + BigInt(offset));

describe('a decision', () => {
  it('is confirmed within the limit and rejected over it, each under the next position', async () => {
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 6_000n, { issuer }),
      reserve('b', 6_000n, { issuer }),
      reserve('c', 4_000n, { issuer }),
    );
    expect(brief(result)).toEqual([
      `confirmed@${at(1)}`,
      `rejected@${at(2)} insufficient_headroom`,
      `confirmed@${at(3)}`,
    ]);
    expect(outcomesOf(result).map(({ remaining }) => remaining)).toEqual(['4000', '4000', '0']);
    expect(outcomesOf(result).map(({ reserved_after }) => reserved_after)).toEqual(['6000', '6000', '10000']);
  });

  it('replays the first outcome, equal but for `replayed`', async () => {
    const first = await decided(
      gateway,
      SCOPE,
      reserve('a', 6_000n, { issuer }),
      reserve('b', 6_000n, { issuer }),
    );
    await decided(gateway, SCOPE, setLimit('more', 50_000n, { issuer }));
    const second = await decided(
      gateway,
      SCOPE,
      reserve('a', 6_000n, { issuer }),
      reserve('b', 6_000n, { issuer }),
    );
    expect(second.outcomes).toEqual(outcomesOf(first).map((outcome) => ({ ...outcome, replayed: true })));
  });

  it('has one outcome when its token comes twice in one batch', async () => {
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 100n, { issuer }),
      reserve('a', 100n, { issuer }),
    );
    expect(brief(result)).toEqual([`confirmed@${at(1)}`, `confirmed@${at(1)} replayed`]);
  });

  it('refuses a token that was used with other content, also within one batch', async () => {
    await decided(gateway, SCOPE, reserve('a', 100n, { issuer }));
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 101n, { issuer }),
      reserve('b', 100n, { issuer }),
      reserve('b', 100n, { issuer, desk: 'another' }),
      release('a', 'whatever', { issuer }),
    );
    expect(brief(result)).toEqual([
      'refused token_reused',
      `confirmed@${at(2)}`,
      'refused token_reused',
      'refused token_reused',
    ]);
  });

  it('binds a token within its issuer only', async () => {
    await decided(gateway, SCOPE, setLimit('limit', 10_000n, { issuer: `${issuer}-b` }));
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 1n, { issuer }),
      reserve('a', 2n, { issuer: `${issuer}-b` }),
    );
    expect(brief(result)).toEqual([`confirmed@${at(2)}`, `confirmed@${at(3)}`]);
  });

  it('refuses an unknown issuer, a taken reservation id, and a release of what is not there or not its own', async () => {
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 1n, { issuer: 'NOBODY' }),
      reserve('b', 1n, { issuer, reservation: 'R' }),
      reserve('c', 1n, { issuer, reservation: 'R' }),
      release('d', 'missing', { issuer }),
      release('e', 'R', { issuer, desk: 'another' }),
      correct('f', 1n, 'typo', { issuer: 'NOBODY' }),
    );
    expect(brief(result)).toEqual([
      'refused issuer_not_found',
      `confirmed@${at(1)}`,
      'refused reservation_exists',
      'refused reservation_not_found',
      'refused not_your_reservation',
      'refused issuer_not_found',
    ]);
  });

  it('takes no position for a refused command, and its token may be used again', async () => {
    await decided(
      gateway,
      SCOPE,
      reserve('a', 1n, { issuer, reservation: 'R' }),
      reserve('b', 1n, { issuer, reservation: 'R' }),
    );
    const result = await decided(gateway, SCOPE, reserve('b', 1n, { issuer, reservation: 'R2' }));
    expect(brief(result)).toEqual([`confirmed@${at(2)}`]);
  });

  it('gives headroom back at a release, once', async () => {
    const result = await decided(
      gateway,
      SCOPE,
      reserve('a', 10_000n, { issuer, reservation: 'R' }),
      release('b', 'R', { issuer }),
      release('c', 'R', { issuer }),
      reserve('d', 10_000n, { issuer }),
    );
    expect(brief(result)).toEqual([
      `confirmed@${at(1)}`,
      `confirmed@${at(2)}`,
      `rejected@${at(3)} already_released`,
      `confirmed@${at(4)}`,
    ]);
  });

  it('confirms no reserve while the issuer is over limit, and releases go on', async () => {
    await decided(
      gateway,
      SCOPE,
      reserve('a', 6_000n, { issuer, reservation: 'A' }),
      reserve('b', 3_000n, { issuer, reservation: 'B' }),
    );
    const result = await decided(
      gateway,
      SCOPE,
      setLimit('lower', 5_000n, { issuer }),
      reserve('c', 1n, { issuer }),
      release('d', 'B', { issuer }),
      reserve('e', 1n, { issuer }),
      release('f', 'A', { issuer }),
      reserve('g', 5_000n, { issuer }),
    );
    expect(outcomesOf(result).map(({ outcome, remaining }) => [outcome, remaining])).toEqual([
      ['confirmed', '-4000'],
      ['rejected', '-4000'],
      ['confirmed', '-1000'],
      ['rejected', '-1000'],
      ['confirmed', '5000'],
      ['confirmed', '0'],
    ]);
  });

  it('keeps amounts of 10^15 exact to the cent', async () => {
    const max = 10n ** 17n;
    const result = await decided(
      gateway,
      SCOPE,
      setLimit('max', max, { issuer }),
      reserve('a', max - 1n, { issuer }),
      reserve('b', 2n, { issuer }),
      reserve('c', 1n, { issuer }),
    );
    expect(outcomesOf(result).map(({ outcome, remaining }) => [outcome, remaining])).toEqual([
      ['confirmed', String(max)],
      ['confirmed', '1'],
      ['rejected', '1'],
      ['confirmed', '0'],
    ]);
  });

  it.each([
    ['a notional of nothing', { ...reserve('a', 1n), notional: '0' }],
    ['a notional over 10^15', { ...reserve('a', 1n), notional: String(10n ** 17n + 1n) }],
    ['a notional that is no number', { ...reserve('a', 1n), notional: '1.5' }],
    ['a negative limit', { ...setLimit('a', 1n), limit: '-1' }],
    ['a hash that is not hex', { ...reserve('a', 1n), hash: 'zz' }],
    ['no hash', { ...reserve('a', 1n), hash: undefined }],
    ['no token', { ...reserve('a', 1n), token: undefined }],
    ['an unknown kind', { ...reserve('a', 1n), kind: 'steal' }],
  ])('refuses a whole batch for %s, without effect', async (_what, bad) => {
    const batch = [reserve('good', 1n, { issuer }), bad] as Parameters<typeof decide>[2];
    const refused = await decide(gateway, SCOPE, batch, DEADLINE);
    expect(refused).toMatchObject({ kind: 'refused', reason: 'badCommand', connectionUsable: true });
    const after = await resolveToken(gateway, SCOPE, { issuer, token: 'good' }, DEADLINE);
    expect(after).toMatchObject({ kind: 'resolved', status: 'not_found', head_position: at(0) });
  });
});

describe('a settled token', () => {
  it('is abandoned for ever: the late original gets that outcome, whatever its body', async () => {
    const result = await decided(
      gateway,
      SCOPE,
      settle('a', { issuer }),
      reserve('a', 1n, { issuer }),
      settle('a', { issuer }),
    );
    expect(brief(result)).toEqual([
      `abandoned@${at(1)}`,
      `abandoned@${at(1)} replayed`,
      `abandoned@${at(1)} replayed`,
    ]);
    const resolved = await resolveToken(gateway, SCOPE, { issuer, token: 'a' }, DEADLINE);
    expect(resolved).toMatchObject({ kind: 'resolved', status: 'abandoned' });
  });

  it('keeps its outcome if it had one', async () => {
    await decided(gateway, SCOPE, reserve('a', 1n, { issuer }));
    expect(brief(await decided(gateway, SCOPE, settle('a', { issuer })))).toEqual([
      `confirmed@${at(1)} replayed`,
    ]);
  });
});

describe('what the leader reports', () => {
  it('resolves a token to its stored outcome with the head it was seen at', async () => {
    const [first] = outcomesOf(await decided(gateway, SCOPE, reserve('a', 1n, { issuer })));
    const resolved = await resolveToken(gateway, SCOPE, { issuer, token: 'a' }, DEADLINE);
    expect(resolved).toMatchObject({
      kind: 'resolved',
      status: 'confirmed',
      head_position: at(1),
      leader: 'c1-leader',
      outcome: { ...first, replayed: true },
    });
  });

  it('lists open reservations by id, page by page, without the released ones', async () => {
    const ids = ['R1', 'R2', 'R3', 'R4', 'R5'];
    await decided(gateway, SCOPE, ...ids.map((id) => reserve(`t-${id}`, 7n, { issuer, reservation: id })));
    await decided(gateway, SCOPE, release('x', 'R2', { issuer }));
    const page = async (after?: string) => {
      const open = after === undefined ? { limit: 2 } : { limit: 2, after };
      const read = await readIssuer(gateway, SCOPE, { issuer, open }, DEADLINE);
      if (read.kind !== 'read') throw new Error(JSON.stringify(read));
      return read;
    };
    const first = await page();
    expect(first).toMatchObject({
      found: true,
      limit: '10000',
      reserved: '28',
      open_count: 4,
      more: true,
    });
    expect(first.open.map(({ reservation }) => reservation)).toEqual(['R1', 'R3']);
    const last = await page('R3');
    expect(last.open.map(({ reservation }) => reservation)).toEqual(['R4', 'R5']);
    expect(last.more).toBe(false);
  });

  it('says so of an issuer that it does not know', async () => {
    const read = await readIssuer(gateway, SCOPE, { issuer: 'NOBODY' }, DEADLINE);
    expect(read).toMatchObject({ kind: 'read', found: false, limit: null, open: [] });
  });
});
