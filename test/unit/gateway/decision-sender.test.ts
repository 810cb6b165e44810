import * as fc from 'fast-check';
import { DatabaseError } from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Answer, refusedAnswer, UNKNOWN } from '../../../src/gateway/answer.ts';
import { Batcher } from '../../../src/gateway/batcher.ts';
import { DecisionSender, type DecisionSenderOptions } from '../../../src/gateway/decision-sender.ts';
import { GatewayMetrics } from '../../../src/gateway/metrics.ts';
import type { Command } from '../../../src/reservations/types.ts';

const DEADLINE_MS = 100;
type Take = { readonly afterMs: number; readonly fails: boolean };

const unreadable = (): DatabaseError =>
  Object.assign(new DatabaseError('unsupported', 0, 'error'), { code: '22P05', severity: 'ERROR' });

/** A sender and its batcher over a leader that answers at once, and whose connections come as `takes` says. */
function gatewayOver(takes: readonly Take[]) {
  const sent: string[][] = [];
  const lent = { now: 0 };
  const route = { scope: { cluster: 'c1', epoch: 1, shard: 1, generation: 1, term: 1 }, leader: 'm' };
  const client = {
    on: () => client,
    off: () => client,
    query: (sql: string) => {
      const commands = JSON.parse(/'(\[.*\])'::jsonb/s.exec(sql)?.[1] ?? '[]') as { token: string }[];
      const tokens = commands.map(({ token }) => token);
      sent.push(tokens);
      const bad = tokens.some((token) => token.startsWith('bad'));
      if (bad) return Promise.reject(unreadable());
      const outcomes = tokens.map(() => ({ outcome: 'confirmed' }));
      return Promise.resolve({ rows: [{ answer: JSON.stringify({ left_ms: 5_000, outcomes }) }] });
    },
  };
  let next = 0;
  const options = {
    routes: {
      routeOf: () => route,
      changed: (_shard: number, _route: unknown, ms: number) => new Promise((done) => setTimeout(done, ms)),
    },
    connections: {
      take: async () => {
        const { afterMs, fails } = takes[next] ?? { afterMs: 0, fails: false };
        next += 1;
        await new Promise((done) => setTimeout(done, afterMs));
        if (fails) throw new Error('refused');
        lent.now += 1;
        return { client, release: () => (lent.now -= 1) };
      },
    },
    metrics: new GatewayMetrics(),
    logger: pino({ level: 'silent' }),
    decisionMs: DEADLINE_MS,
    resolve: () => undefined,
  };
  const sender = new DecisionSender(options as unknown as DecisionSenderOptions);
  const batcher = new Batcher<Command, Answer>({
    batchCommandsMax: 4,
    queuePerShardMax: 100,
    commandsMax: 100,
    deadlineMs: DEADLINE_MS,
    permit: () => ({ release: () => undefined }),
    send: sender.send,
    onFull: () => refusedAnswer('admission_full', ''),
    onStopping: () => refusedAnswer('stopping', ''),
    onDeadline: (_shard, _command, progress) =>
      progress === 'sent' ? UNKNOWN : refusedAnswer('not_sent', ''),
  });
  const submit = (token: string) =>
    batcher.submit(1, { kind: 'settle', issuer: 'A', token, desk: 'd' }).then((answer) => ({
      token,
      answer,
      sentBefore: sent.flat().includes(token),
    }));
  return { sent, lent, submit };
}

describe('the decision sender', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('never sends a command that was answered as unsent, and calls nothing unknown that was not sent', async () => {
    const take = fc.record({ afterMs: fc.nat(2 * DEADLINE_MS), fails: fc.boolean() });
    const arrivals = fc.array(fc.nat(60), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(take, { maxLength: 6 }), arrivals, async (takes, gaps) => {
        const { sent, lent, submit } = gatewayOver(takes);
        const answers: ReturnType<typeof submit>[] = [];
        for (const [index, gap] of gaps.entries()) {
          answers.push(submit(`t${index}`));
          await vi.advanceTimersByTimeAsync(gap);
        }
        await vi.advanceTimersByTimeAsync(2_000);
        const timesSent = (token: string) => sent.flat().filter((other) => other === token).length;
        for (const { token, answer, sentBefore } of await Promise.all(answers)) {
          expect(timesSent(token), `${token}: ${answer.kind}`).toBe(answer.kind === 'refused' ? 0 : 1);
          expect(sentBefore).toBe(answer.kind !== 'refused');
        }
        expect(lent.now).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('says that the leader is out of reach when no connection is to be had by the deadline', async () => {
    const { sent, submit } = gatewayOver(Array.from({ length: 10 }, () => ({ afterMs: 5, fails: true })));
    const answer = submit('t');
    await vi.advanceTimersByTimeAsync(DEADLINE_MS);
    expect((await answer).answer).toMatchObject({ kind: 'refused', code: 'leader_unreachable' });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(sent).toEqual([]);
  });

  it('lets a command that the authority can not read fail alone', async () => {
    const { sent, submit } = gatewayOver([{ afterMs: 1, fails: false }]);
    const answers = ['first', 'a', 'bad', 'b'].map(submit);
    for (let ms = 0; ms < 50; ms += 1) await vi.advanceTimersByTimeAsync(1);
    const kinds = (await Promise.all(answers)).map(({ token, answer }) => [token, answer.kind]);
    expect(kinds).toEqual([
      ['first', 'decided'],
      ['a', 'decided'],
      ['bad', 'refused'],
      ['b', 'decided'],
    ]);
    expect(sent).toEqual([['first'], ['a', 'bad', 'b'], ['a'], ['bad'], ['b']]);
  });
});
