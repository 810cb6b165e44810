import { expect, test } from 'vitest';
import type { Answer, Sending } from '../../../src/drills/workload/desk.ts';
import { runLoad } from '../../../src/drills/workload/load.ts';
import type { PlannedRequest } from '../../../src/drills/workload/types.ts';

const REGIONS = ['new-york', 'madrid'];

const request = (n: number, parts: Partial<PlannedRequest> = {}): PlannedRequest => ({
  n,
  atMs: 0,
  purpose: 'fresh',
  region: 'madrid',
  desk: 'madrid',
  via: 'madrid',
  retries: [],
  ask: { action: 'read-issuer', issuer: `issuer-${n}`, token: null, bound: 'none' },
  ...parts,
});

const answer = ({ process, ask, via }: Sending, kind: Answer['kind']): Answer => ({
  process,
  action: ask.action,
  issuer: ask.issuer,
  token: ask.token,
  via,
  kind,
  result: null,
  as_of: null,
  http: kind === 'ok' ? 200 : null,
  code: null,
});

/** Sends these requests until so many have been sent and every one of them is answered. */
async function load(
  requests: readonly PlannedRequest[],
  until: number,
  send: (sending: Sending, nth: number) => Promise<Answer> | Answer,
) {
  const sent: Sending[] = [];
  const enough = new AbortController();
  let answered = 0;
  const { leftOut } = await runLoad({
    plan: {
      *requests(): Generator<PlannedRequest, never> {
        yield* requests;
        for (let n = requests.length; ; n += 1) yield request(n, { atMs: 600_000 });
      },
    },
    desk: {
      send: async (sending) => {
        sent.push(sending);
        const said = await send(sending, sent.length);
        answered += 1;
        if (answered >= until && answered === sent.length) enough.abort();
        return said;
      },
    },
    regions: REGIONS,
    enough: enough.signal,
  });
  return { sent, leftOut };
}

test('a request that is left open is sent again through the gateways that are planned, until it is answered', async () => {
  const { sent } = await load(
    [request(0, { retries: ['new-york', 'madrid', 'madrid'] })],
    3,
    (sending, nth) => answer(sending, nth < 3 ? 'info' : 'ok'),
  );
  expect(sent.map(({ via }) => via)).toEqual(['madrid', 'new-york', 'madrid']);
  expect(new Set(sent.map(({ process }) => process)).size).toBe(1);
});

test('a process that leaves a request open goes on under another name', async () => {
  // More requests than processes, so that the same ones are met again.
  const requests = Array.from({ length: 40 }, (_, n) => request(n));
  const { sent } = await load(requests, 40, (sending) => answer(sending, 'info'));
  expect(sent).toHaveLength(40);
  expect(new Set(sent.map(({ process }) => process)).size).toBe(40);
});

test('a region that is busy leaves requests out, and another region goes on', async () => {
  const { promise: stuck, resolve: free } = Promise.withResolvers<void>();
  const requests = Array.from({ length: 100 }, (_, n) => request(n));
  const other = request(100, { region: 'new-york', via: 'new-york', desk: 'new-york' });
  let underway = 0;
  let most = 0;
  const { sent, leftOut } = await load([...requests, other], 33, async (sending) => {
    if (sending.via === 'new-york') {
      free();
      return answer(sending, 'ok');
    }
    underway += 1;
    most = Math.max(most, underway);
    await stuck;
    underway -= 1;
    return answer(sending, 'ok');
  });
  expect(sent.some(({ via }) => via === 'new-york')).toBe(true);
  expect(leftOut).toBeGreaterThan(0);
  expect(sent.length + leftOut).toBe(101);
  expect(most).toBeLessThan(100);
});
