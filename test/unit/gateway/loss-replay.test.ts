import { DatabaseError } from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { replayLost } from '../../../src/gateway/loss-replay.ts';
import type { RouteTable } from '../../../src/gateway/route-table.ts';
import { lostDecision } from '../../support/losses.ts';

const DEADLINE_MS = 1_000;
const RIGHT_MS = 5_000;

type Reply =
  | { readonly outcome: 'confirmed'; readonly replayed: boolean; readonly leftMs?: number }
  | { readonly refused: string }
  | { readonly sqlState: string };

/** Sends one lost decision again to a leader that answers with `replies` in their order, the last one from then on. */
async function replay(replies: readonly Reply[], { leader = 'm' }: { readonly leader?: string | null } = {}) {
  let sent = 0;
  const client = {
    on: () => client,
    off: () => client,
    query: () => {
      const reply = replies[Math.min(sent, replies.length - 1)];
      sent += 1;
      if (reply === undefined) throw new Error('nothing was expected to be sent');
      if ('sqlState' in reply)
        return Promise.reject(
          Object.assign(new DatabaseError('no', 0, 'error'), { code: reply.sqlState, severity: 'ERROR' }),
        );
      const leftMs = 'outcome' in reply ? (reply.leftMs ?? RIGHT_MS) : RIGHT_MS;
      const result = 'refused' in reply ? reply : { ...reply, position: '9', generation: 1, term: 2 };
      return Promise.resolve({ rows: [{ answer: JSON.stringify({ left_ms: leftMs, outcomes: [result] }) }] });
    },
  };
  const route = {
    scope: { cluster: 'c1', epoch: 1, shard: 1, generation: 1, term: 2 },
    state: 'serving' as const,
    leader,
    absent: leader === null ? 'cluster c1 is fenced under term 2' : null,
    changing: false,
  };
  const routes = {
    shardOf: () => 1,
    routeOf: () => route,
    changed: (_shard: number, _route: unknown, ms: number) => new Promise((done) => setTimeout(done, ms)),
  };
  const asking = {
    routes: routes as unknown as RouteTable,
    take: async () => ({ client: client as never, release: () => undefined }),
  };
  const replayed = replayLost(asking, lostDecision(), DEADLINE_MS);
  await vi.advanceTimersByTimeAsync(DEADLINE_MS);
  return { ...(await replayed), sent };
}

const LATE = { outcome: 'confirmed', replayed: false, leftMs: 0 } as const;
const CANCELLED = { sqlState: '57014' } as const;

describe('a lost decision that is sent again', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('has the outcome that its token had already', async () => {
    const again = await replay([{ outcome: 'confirmed', replayed: true }]);
    expect(again).toMatchObject({ now: 'confirmed', commitToken: 'shard1@9~1.2', replayed: true, sent: 1 });
  });

  test.each([
    ['came too late', LATE],
    ['was an error', CANCELLED],
  ])('is sent once more when the reply %s, and what comes then may be its own', async (_what, first) => {
    const again = await replay([first, { outcome: 'confirmed', replayed: true }]);
    expect(again).toMatchObject({ now: 'confirmed', replayed: false, sent: 2 });
  });

  test('is unknown when no reply says anything until the time is up', async () => {
    const again = await replay([CANCELLED]);
    expect(again).toMatchObject({ now: 'unknown', commitToken: null });
    expect(again.sent).toBeGreaterThan(1);
  });

  test('is refused only when nothing was sent before that may still come', async () => {
    expect(await replay([{ refused: 'issuer_not_found' }])).toMatchObject({ now: 'refused', sent: 1 });
    expect(await replay([CANCELLED, { refused: 'issuer_not_found' }])).toMatchObject({
      now: 'unknown',
      reason: 'issuer_not_found',
      sent: 2,
    });
  });

  test('is refused when there was nobody to send it to', async () => {
    expect(await replay([], { leader: null })).toMatchObject({
      now: 'refused',
      reason: 'cluster c1 is fenced under term 2',
      sent: 0,
    });
  });
});
