import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WorkloadPlan } from '../../../src/drills/workload/plan.ts';
import type { PlannedRequest, WorkloadOptions } from '../../../src/drills/workload/types.ts';
import { defaultReservationId } from '../../../src/reservations/hash.ts';

const options = (parts: Partial<WorkloadOptions> = {}): WorkloadOptions => ({
  runId: 'run',
  seed: 1,
  ratePerSecond: 200,
  durationMs: 20_000,
  regions: ['new-york', 'madrid'],
  ...parts,
});

function take(plan: WorkloadPlan, durationMs: number): PlannedRequest[] {
  const taken: PlannedRequest[] = [];
  for (const request of plan.requests()) {
    if (request.atMs >= durationMs) return taken;
    taken.push(request);
  }
  return taken;
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });

test('the same seed draws the same issuers and requests, another seed others', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const first = new WorkloadPlan(options({ seed }));
      const again = new WorkloadPlan(options({ seed }));
      const other = new WorkloadPlan(options({ seed: seed + 1 }));
      expect(again.issuers).toEqual(first.issuers);
      const requests = take(first, 2_000);
      expect(take(again, 2_000)).toEqual(requests);
      expect(take(other, 2_000)).not.toEqual(requests);
    }),
    { numRuns: 20 },
  );
});

test('over a long plan each kind has its share, in both regions and through both gateways', () => {
  const requests = take(new WorkloadPlan(options({ durationMs: 100_000 })), 100_000);
  const share = (wanted: (request: PlannedRequest) => boolean) =>
    requests.filter(wanted).length / requests.length;
  const shares = {
    perSecond: requests.length / 100,
    repeat: share(({ purpose }) => purpose === 'repeat'),
    reuse: share(({ purpose }) => purpose === 'reuse'),
    release: share(({ ask, purpose }) => ask.action === 'release' && purpose === 'fresh'),
    limits: share(({ ask, purpose }) => ['set-limit', 'correct'].includes(ask.action) && purpose === 'fresh'),
    reads: share(({ ask }) => ask.action === 'read-issuer' || ask.action === 'read-open'),
    resolve: share(({ ask }) => ask.action === 'resolve'),
    settle: share(({ ask, purpose }) => ask.action === 'settle' && purpose === 'fresh'),
    madrid: share(({ region }) => region === 'madrid'),
    crossed: share(({ region, via }) => region !== via),
  };
  const bounds: Record<keyof typeof shares, [number, number]> = {
    perSecond: [190, 225],
    repeat: [0.09, 0.11],
    reuse: [0.04, 0.06],
    release: [0.09, 0.11],
    limits: [0.015, 0.025],
    reads: [0.08, 0.1],
    resolve: [0.025, 0.035],
    settle: [0.007, 0.013],
    madrid: [0.45, 0.55],
    crossed: [0.35, 0.45],
  };
  const outside = Object.entries(bounds).filter(([kind, [low, high]]) => {
    const value = shares[kind as keyof typeof shares];
    return value < low || value > high;
  });
  expect(outside).toEqual([]);
});

const contentOf = ({ desk, ask }: PlannedRequest): string =>
  JSON.stringify([desk, ask], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

test('a repeat is an earlier command of the same desk, a reuse an earlier token with another content', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const sent = new Map<string, string>();
      const wrong: PlannedRequest[] = [];
      for (const request of take(new WorkloadPlan(options({ seed })), 5_000)) {
        const { ask, purpose } = request;
        if (ask.token === null || ask.action === 'resolve' || ask.action === 'settle') continue;
        const known = sent.get(ask.token);
        const content = contentOf(request);
        const right = {
          fresh: known === undefined,
          // The original of a token that was settled first may come as a repeat.
          repeat: known === undefined || known === content,
          reuse: known !== content,
        };
        if (!right[purpose]) wrong.push(request);
        if (purpose !== 'reuse') sent.set(ask.token, content);
      }
      expect(wrong).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

test('some repeats and reuses come at once with the original', () => {
  const requests = take(new WorkloadPlan(options()), 20_000);
  const atOnce = requests.filter(({ atMs, purpose }, index) => {
    return purpose !== 'fresh' && requests[index - 1]?.atMs === atMs;
  });
  expect(atOnce.length).toBeGreaterThan(requests.length * 0.02);
});

/** What a service without faults would decide, one request after another. */
function foldedShareRejected(plan: WorkloadPlan, durationMs: number): number {
  const state = new Map(plan.issuers.map(({ issuer, limit }) => [issuer, { limit, reserved: 0n }]));
  const tokens = new Set<string>();
  const reserved = new Map<string, bigint>();
  let confirmed = 0;
  let rejected = 0;
  for (const { ask } of take(plan, durationMs)) {
    const issuer = state.get(ask.issuer);
    if (issuer === undefined) throw new Error(`${ask.issuer} is not in the plan`);
    if (ask.token === null || ask.action === 'resolve' || tokens.has(`${ask.issuer} ${ask.token}`)) continue;
    tokens.add(`${ask.issuer} ${ask.token}`);
    if (ask.action === 'set-limit' || ask.action === 'correct') issuer.limit = ask.limit;
    else if (ask.action === 'release') {
      const key = `${ask.issuer} ${ask.reservation}`;
      issuer.reserved -= reserved.get(key) ?? 0n;
      reserved.set(key, 0n);
    } else if (ask.action === 'reserve') {
      if (ask.notional > issuer.limit - issuer.reserved) rejected += 1;
      else {
        confirmed += 1;
        issuer.reserved += ask.notional;
        const id = ask.reservation ?? defaultReservationId(ask.issuer, ask.token);
        reserved.set(`${ask.issuer} ${id}`, ask.notional);
      }
    }
  }
  return rejected / (confirmed + rejected);
}

test('without faults 20 to 40 % of the reserves find no room, whatever the seed, the rate and the duration', () => {
  fc.assert(
    fc.property(
      seeds,
      fc.constantFrom([200, 6_000], [200, 20_000], [400, 30_000]),
      (seed, [ratePerSecond = 0, durationMs = 0]) => {
        const plan = new WorkloadPlan(options({ seed, ratePerSecond, durationMs }));
        const share = foldedShareRejected(plan, durationMs);
        expect(share).toBeGreaterThan(0.2);
        expect(share).toBeLessThan(0.4);
      },
    ),
    { numRuns: 30 },
  );
});
