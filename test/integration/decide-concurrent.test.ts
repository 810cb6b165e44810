import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SCOPE, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { decided, outcomesOf, reserve, setLimit } from '../support/reservation-commands.ts';

const CALLERS = 8;

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

describe('concurrent callers', () => {
  it('never over-allocate; positions are dense and the log folds to the exposure', async () => {
    const clients = await Promise.all(Array.from({ length: CALLERS }, () => postgres.connect('gateway')));
    const results = await Promise.all(
      clients.map(async (client, caller) => {
        const outcomes = [];
        for (let round = 0; round < 25; round += 1) {
          const batch = Array.from({ length: 1 + ((caller + round) % 4) }, (_, n) =>
            reserve(`t-${caller}-${round}-${n}`, 70n, { issuer }),
          );
          outcomes.push(...outcomesOf(await decided(client, SCOPE, ...batch)));
        }
        return outcomes;
      }),
    );
    const outcomes = results.flat();
    const confirmed = outcomes.filter(({ outcome }) => outcome === 'confirmed');
    expect(confirmed).toHaveLength(Math.floor(10_000 / 70));
    const positions = outcomes.map(({ position }) => BigInt(position)).toSorted((a, b) => Number(a - b));
    expect(positions).toEqual(positions.map((_, index) => head + 1n + BigInt(index)));
    const superuser = await postgres.connect('superuser');
    const { rows } = await superuser.query(
      `select e.reserved_cents, e.open_count,
          (select sum(amount_cents) from capstan.outbox where issuer_id = $1 and event = 'reserved') as folded,
          (select count(*)::int from capstan.reservation where issuer_id = $1 and status = 'confirmed') as open
        from capstan.issuer_exposure e where issuer_id = $1`,
      [issuer],
    );
    expect(rows).toEqual([{ reserved_cents: '9940', open_count: 142, folded: '9940', open: 142 }]);
  });

  it('that send one token at once get one outcome', async () => {
    const clients = await Promise.all(Array.from({ length: CALLERS }, () => postgres.connect('gateway')));
    const results = await Promise.all(
      clients.map((client) => decided(client, SCOPE, reserve('same', 10n, { issuer }))),
    );
    expect(new Set(results.flatMap(outcomesOf).map(({ position }) => position))).toEqual(new Set([at(1)]));
    expect(results.flatMap(outcomesOf).filter(({ replayed }) => !replayed)).toHaveLength(1);
  });

  it('leave no gap in any log of the database', async () => {
    const superuser = await postgres.connect('superuser');
    const { rows } = await superuser.query(
      `select h.shard_id from capstan.shard_head h left join capstan.outbox o using (shard_id) group by h.shard_id, h.position
        having count(o.position) <> h.position or coalesce(max(o.position), 0) <> h.position`,
    );
    expect(rows).toEqual([]);
  });
});
