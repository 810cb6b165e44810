import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer } from '../../../src/gateway/answer.ts';
import type { LeaderConnections } from '../../../src/gateway/leader-connections.ts';
import type { RouteTable, ShardRoute } from '../../../src/gateway/route-table.ts';
import { Ticket } from '../../../src/gateway/ticket.ts';
import { UnknownResolver } from '../../../src/gateway/unknown-resolver.ts';
import type { Command } from '../../../src/reservations/types.ts';

const DEADLINE_MS = 1_000;
const routeOf = (term: number, over: { readonly cluster?: string; readonly generation?: number } = {}) => ({
  scope: { cluster: 'c1', epoch: 1, shard: 1, generation: 1, term, ...over },
  state: 'serving' as const,
  leader: 'm',
  absent: null,
  changing: false,
});

const named = (values: readonly object[]) =>
  new Map(values.map((value, index) => [String(index), { value, revision: '1' }]));

/** Resolves one command that was sent under term 1, by an authority that knows nothing of its token. */
async function resolveAt(
  asked: ShardRoute,
  losses: readonly { readonly formerTerm: number }[] = [],
  elsewhere: readonly { readonly positions: Readonly<Record<string, string>> }[] = [],
) {
  const sentAgain: string[] = [];
  const client = {
    on: () => client,
    off: () => client,
    query: () =>
      Promise.resolve({ rows: [{ answer: JSON.stringify({ left_ms: 5_000, outcome: null, hash: null }) }] }),
  };
  const resolver = new UnknownResolver({
    routes: {
      routeOf: () => asked,
      changed: (_shard: number, _route: unknown, ms: number) => new Promise((done) => setTimeout(done, ms)),
      view: {
        clusters: new Map([
          ['c1', { losses: named(losses) }],
          ['c2', { losses: named(elsewhere) }],
        ]),
      },
    } as unknown as RouteTable,
    connections: { take: async () => ({ client, release: () => undefined }) } as unknown as LeaderConnections,
    sendAgain: (_shard, ticket) => {
      sentAgain.push(ticket.progress);
    },
  });
  const ticket = new Ticket<Command, Answer>({
    command: { kind: 'settle', issuer: 'A', token: 't', desk: 'd' },
    deadlineAt: performance.now() + DEADLINE_MS,
    timeLeftMs: DEADLINE_MS,
    onDeadline: () => ({ kind: 'unknown' }),
  });
  ticket.markSent();
  resolver.resolve(routeOf(1), ticket);
  await vi.advanceTimersByTimeAsync(DEADLINE_MS);
  return { sentAgain, answer: await ticket.answer };
}

describe('a command whose connection broke and that nobody knows', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is sent again, once, when a later term of the same cluster answers: it can not come any more', async () => {
    expect((await resolveAt(routeOf(2))).sentAgain).toEqual(['waiting']);
  });

  it.each<[string, ShardRoute]>([
    ['under its own term', routeOf(1)],
    ['by another cluster under the same generation', routeOf(2, { cluster: 'c2' })],
    ['under an older generation', routeOf(2, { generation: 0 })],
  ])('stays unknown %s: it may still be in flight', async (_where, route) => {
    expect(await resolveAt(route)).toEqual({ sentAgain: [], answer: { kind: 'unknown' } });
  });

  it('is sent again when the shard has moved: its former owner was sealed, and all that it decided came along', async () => {
    const moved = routeOf(1, { cluster: 'c2', generation: 2 });
    expect((await resolveAt(moved)).sentAgain).toEqual(['waiting']);
    expect((await resolveAt(moved, [{ formerTerm: 1 }])).sentAgain).toEqual([]);
    expect((await resolveAt(moved, [], [{ positions: { '1': '7' } }])).sentAgain).toEqual([]);
    expect((await resolveAt(moved, [], [{ positions: { '2': '7' } }])).sentAgain).toEqual(['waiting']);
  });

  it('stays unknown where decisions of its term may have been lost, and not for older losses', async () => {
    expect((await resolveAt(routeOf(2), [{ formerTerm: 1 }])).sentAgain).toEqual([]);
    expect((await resolveAt(routeOf(2), [{ formerTerm: 0 }])).sentAgain).toEqual(['waiting']);
  });
});
