import { expect, test } from 'vitest';
import type { Attempt } from '../../support/history.ts';
import { type Evidence, judge, type LogEntry } from '../../support/oracle.ts';

/** A judge that finds nothing proves nothing: each kind of broken promise is planted once. */
const entry = (position: number, change: Partial<LogEntry>): LogEntry => ({
  position: BigInt(position),
  generation: 1,
  term: 1,
  event: 'reserved',
  issuer: 'ACME',
  token: `tok-${position}`,
  reservation: `res-${position}`,
  amount: 60n,
  reservedAfter: 60n,
  limitAfter: 100n,
  ...change,
});

const attempt = (position: number, change: Partial<Attempt> = {}): Attempt => ({
  process: 'madrid/1',
  via: 'madrid',
  action: 'reserve',
  issuer: 'ACME',
  token: `tok-${position}`,
  invokedAt: position * 10,
  answeredAt: position * 10 + 5,
  kind: 'ok',
  outcome: 'confirmed',
  http: 201,
  code: null,
  commitToken: `shard2@${position}~1.1`,
  reservation: `res-${position}`,
  replayed: false,
  ...change,
});

const LIMIT = entry(1, { event: 'limit_set', reservation: null, amount: 100n, reservedAfter: 0n });
const FIRST = entry(2, {});
const REJECTED = entry(3, { event: 'reserve_rejected' });

const outcomeOf = (event: string) => (event === 'reserve_rejected' ? 'rejected' : 'confirmed');

function evidence(options: {
  readonly log?: readonly LogEntry[];
  readonly attempts?: readonly Attempt[];
  readonly resolutions?: Evidence['resolutions'];
  readonly head?: bigint;
  readonly reserved?: bigint;
}): Evidence {
  const log = options.log ?? [LIMIT, FIRST, REJECTED];
  return {
    attempts: options.attempts ?? [attempt(2), attempt(3, { outcome: 'rejected', http: 409 })],
    resolutions: options.resolutions ?? [],
    shards: [
      {
        shard: 2,
        head: options.head ?? BigInt(log.length),
        lineage: [{ generation: 1, term: 1, first: 1n }],
        log,
        tokens: log.map(({ event, ...rest }) => ({ ...rest, outcome: outcomeOf(event) })),
        exposures: [{ issuer: 'ACME', limit: 100n, reserved: options.reserved ?? 60n }],
        open: log.flatMap(({ event, issuer, reservation, amount }) =>
          event === 'reserved' ? [{ issuer, reservation: reservation ?? '', notional: amount ?? 0n }] : [],
        ),
      },
    ],
  };
}

test('a good history breaks nothing', () => {
  expect(judge(evidence({}))).toEqual([]);
});

const unknown = { kind: 'info', outcome: null, commitToken: null, replayed: null, http: 202 } as const;
test.each<[string, Evidence, RegExp]>([
  [
    'an issuer over its limit',
    evidence({
      log: [LIMIT, FIRST, entry(3, { reservedAfter: 120n })],
      attempts: [attempt(2), attempt(3)],
      reserved: 120n,
    }),
    /over-allocated: 120 of 100/,
  ],
  [
    'a gap in the positions',
    evidence({ log: [LIMIT, FIRST, entry(4, { event: 'reserve_rejected' })], attempts: [], head: 4n }),
    /not dense/,
  ],
  ['a head beyond its log', evidence({ head: 9n }), /the head is at 9/],
  ['a confirmed decision that is gone', evidence({ attempts: [attempt(2), attempt(7)] }), /it is not found/],
  ['another outcome than the reported one', evidence({ attempts: [attempt(3)] }), /it is rejected/],
  [
    'another commit token than the reported one',
    evidence({ attempts: [attempt(2, { commitToken: 'shard2@2~1.2' })] }),
    /it is confirmed shard2@2~1\.1/,
  ],
  [
    'an effect where none was promised',
    evidence({ attempts: [attempt(2, { ...unknown, kind: 'fail', code: 'lease_lapsed' })] }),
    /had no effect/,
  ],
  [
    'a token decided twice',
    evidence({ log: [LIMIT, FIRST, entry(3, { event: 'reserve_rejected', token: 'tok-2' })], attempts: [] }),
    /decided twice/,
  ],
  [
    'a decision under an authority that its lineage lacks',
    evidence({ log: [LIMIT, entry(2, { term: 2 }), REJECTED], attempts: [] }),
    /under 1\.2/,
  ],
  [
    'a rejection with headroom left',
    evidence({
      log: [LIMIT, entry(2, { event: 'reserve_rejected', reservedAfter: 0n })],
      attempts: [],
      reserved: 0n,
    }),
    /100 cents were left/,
  ],
  ['an exposure that is not the fold', evidence({ reserved: 10n }), /not the fold/],
  [
    'positions against real time',
    evidence({
      attempts: [attempt(2, { invokedAt: 90, answeredAt: 95 }), attempt(3, { outcome: 'rejected' })],
    }),
    /after @3 had been answered/,
  ],
  [
    'an unknown that was never resolved',
    evidence({ attempts: [attempt(2, unknown)] }),
    /resolves as undefined/,
  ],
  [
    'an unknown that resolves to less than the truth',
    evidence({
      attempts: [attempt(2, unknown)],
      resolutions: [{ issuer: 'ACME', token: 'tok-2', status: 'not_found', commitToken: null }],
    }),
    /resolves as not_found/,
  ],
])('the judge finds %s', (_, planted, finding) => {
  expect(judge(planted).join('\n')).toMatch(finding);
});
