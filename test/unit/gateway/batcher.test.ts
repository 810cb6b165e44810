import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Batcher, type BatcherOptions } from '../../../src/gateway/batcher.ts';
import type { SendResult } from '../../../src/gateway/sending.ts';
import type { Ticket } from '../../../src/gateway/ticket.ts';

type Answer = string;
type Batch = readonly Ticket<number, Answer>[];
const free = { release: () => {} };

function batcher(options: Partial<BatcherOptions<number, Answer>>) {
  return new Batcher<number, Answer>({
    batchCommandsMax: 4,
    queuePerShardMax: 10,
    commandsMax: 1_000,
    deadlineMs: 5_000,
    permit: () => free,
    send: answerAll,
    onFull: (_shard, full) => (full === 'shard' ? 'full' : 'gateway full'),
    onStopping: () => 'stopping',
    onDeadline: (_shard, _command, progress) => `late:${progress}`,
    ...options,
  });
}

function answerAll(_shard: number, batch: Batch): Promise<SendResult> {
  for (const ticket of batch) ticket.settle(`done:${ticket.command}`);
  return Promise.resolve({ kind: 'done' });
}

/** A sender whose batches end only when the test says so. */
function gate() {
  const open: { shard: number; batch: Batch; end: (result: SendResult) => void }[] = [];
  const send = (shard: number, batch: Batch) =>
    new Promise<SendResult>((end) => {
      for (const ticket of batch) ticket.markSent();
      open.push({ shard, batch, end });
    });
  const again = async (index: number) => {
    const [entry] = open.splice(index, 1);
    for (const ticket of entry?.batch ?? []) ticket.markUnsent();
    entry?.end({ kind: 'again', when: Promise.resolve() });
    await flush();
  };
  const finish = async (index: number) => {
    const [entry] = open.splice(index, 1);
    if (entry === undefined) return;
    for (const ticket of entry.batch) ticket.settle(`done:${ticket.command}`);
    entry.end({ kind: 'done' });
    await flush();
  };
  return { open, send, finish, again };
}

const flush = async () => {
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
};
const commandsOf = (entry: { batch: Batch } | undefined) => entry?.batch.map((ticket) => ticket.command);

describe('the batcher', () => {
  it('sends the first command at once, in the same turn', () => {
    const { open, send } = gate();
    void batcher({ send }).submit(1, 7);
    expect(open.map(commandsOf)).toEqual([[7]]);
  });

  it('fills the next batch while one is under way, and keeps other shards apart', async () => {
    const { open, send, finish } = gate();
    const b = batcher({ send });
    for (const command of [1, 2, 3]) void b.submit(1, command);
    void b.submit(2, 9);
    expect(open.map(commandsOf)).toEqual([[1], [9]]);
    await finish(0);
    expect(open.map(commandsOf)).toEqual([[9], [2, 3]]);
  });

  it('forms a batch only once its permit is there', async () => {
    const { open, send } = gate();
    const permit = Promise.withResolvers<typeof free>();
    const b = batcher({ send, permit: () => permit.promise });
    for (const command of [1, 2, 3]) void b.submit(1, command);
    expect(open).toEqual([]);
    permit.resolve(free);
    await flush();
    expect(open.map(commandsOf)).toEqual([[1, 2, 3]]);
  });

  it('refuses beyond the queue bound without touching what waits', async () => {
    const { open, send, finish } = gate();
    const b = batcher({ send, queuePerShardMax: 2 });
    const answers = [1, 2, 3, 4].map((command) => b.submit(1, command));
    expect(await answers[3]).toBe('full');
    await finish(0);
    await finish(0);
    expect(await Promise.all(answers)).toEqual(['done:1', 'done:2', 'done:3', 'full']);
    expect(open).toEqual([]);
  });

  it('refuses beyond the bound over all shards until one is answered', async () => {
    const { send, finish } = gate();
    const b = batcher({ send, commandsMax: 2 });
    const answers = [1, 2].map((shard) => b.submit(shard, shard));
    expect(await b.submit(3, 3)).toBe('gateway full');
    await finish(0);
    expect(await answers[0]).toBe('done:1');
    void b.submit(3, 4);
    expect(await b.submit(3, 5)).toBe('gateway full');
  });

  it('sends a batch without effect again, first, in order', async () => {
    const seen: number[][] = [];
    const send = (_shard: number, batch: Batch): Promise<SendResult> => {
      seen.push(batch.map((ticket) => ticket.command));
      if (seen.length === 1) return Promise.resolve({ kind: 'again', when: Promise.resolve() });
      return answerAll(1, batch);
    };
    const b = batcher({ send });
    const answers = [1, 2, 3].map((command) => b.submit(1, command));
    expect(await Promise.all(answers)).toEqual(['done:1', 'done:2', 'done:3']);
    expect(seen).toEqual([[1], [1, 2, 3]]);
  });

  it('tells a command that was sent from one that was not when the deadline passes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const { open, send, again } = gate();
      const b = batcher({ send, deadlineMs: 100 });
      const answers = [1, 2].map((command) => b.submit(1, command));
      await vi.advanceTimersByTimeAsync(100);
      expect(await Promise.all(answers)).toEqual(['late:sent', 'late:waiting']);
      await again(0);
      expect(open, 'an answered command is never sent').toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('refuses new commands once it stops, and ends when its lanes are idle', async () => {
    const { send, finish } = gate();
    const b = batcher({ send });
    const first = b.submit(1, 1);
    const stopped = b.stop();
    expect(await b.submit(1, 2)).toBe('stopping');
    await finish(0);
    await stopped;
    expect(await first).toBe('done:1');
  });

  it('answers each command exactly once, in order, one batch a shard, within its bounds', async () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('submit' as const), shard: fc.nat(2) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), index: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), index: fc.nat(2) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { open, send, finish, again } = gate();
        const decided = new Map<number, number[]>();
        const recorded = async (index: number) => {
          const entry = open[index];
          if (entry !== undefined) {
            decided.set(entry.shard, [...(decided.get(entry.shard) ?? []), ...(commandsOf(entry) ?? [])]);
          }
          await finish(index);
        };
        const b = batcher({ send, batchCommandsMax: 3, queuePerShardMax: 5 });
        const submitted: { shard: number; command: number; answer: Promise<Answer> }[] = [];
        for (const action of steps) {
          if (action.kind === 'submit') {
            const command = submitted.length;
            submitted.push({ shard: action.shard, command, answer: b.submit(action.shard, command) });
          } else if (action.kind === 'finish') {
            await recorded(action.index);
          } else {
            await again(action.index);
          }
          const shards = open.map((entry) => entry.shard);
          expect(new Set(shards).size, 'one batch under way a shard').toBe(shards.length);
          for (const entry of open) expect(entry.batch.length).toBeLessThanOrEqual(3);
        }
        while (open.length > 0) await recorded(0);
        for (const { shard, command, answer } of submitted) {
          const got = await answer;
          const times = (decided.get(shard) ?? []).filter((seen) => seen === command).length;
          expect(times).toBe(got === 'full' ? 0 : 1);
        }
        for (const order of decided.values()) expect(order).toEqual(order.toSorted((x, y) => x - y));
        expect(b.waiting).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

const few = (commandsMax: number, more: object = {}) => ({ commandsMax, release: () => {}, ...more });

describe('a permit for a few commands', () => {
  it('sends no more than that, in order, and says how many it used', async () => {
    const used: number[] = [];
    const wanted: number[] = [];
    const sent: number[][] = [];
    const paced = batcher({
      permit: (_shard, wants) => {
        wanted.push(wants());
        return few(2, { release: (count: number) => used.push(count) });
      },
      send: (shard, batch) => {
        sent.push(batch.map(({ command }) => command));
        return answerAll(shard, batch);
      },
    });
    const answers = await Promise.all([1, 2, 3, 4, 5].map((command) => paced.submit(7, command)));
    expect(answers).toEqual([1, 2, 3, 4, 5].map((command) => `done:${command}`));
    expect(sent.flat()).toEqual([1, 2, 3, 4, 5]);
    expect(Math.max(...sent.map(({ length }) => length))).toBeLessThanOrEqual(2);
    expect(used).toEqual(sent.map(({ length }) => length));
    expect(Math.max(...wanted)).toBeLessThanOrEqual(4);
  });

  it('answers a command that has too little time left, and sends the next one instead', async () => {
    const sent: number[] = [];
    const permits: ((permit: { commandsMax: number; release: () => void }) => void)[] = [];
    const paced = batcher({
      deadlineMs: 400,
      permit: () => new Promise((resolve) => permits.push(resolve)),
      send: (shard, batch) => {
        sent.push(...batch.map(({ command }) => command));
        return answerAll(shard, batch);
      },
    });
    const first = paced.submit(7, 1);
    await expect.poll(() => permits.length).toBe(1);
    permits.shift()?.(few(1, { timeLeftMinMs: 1_000 }));
    expect(await first).toBe('late:waiting');
    const second = paced.submit(7, 2);
    await expect.poll(() => permits.length).toBe(1);
    permits.shift()?.(few(1, { timeLeftMinMs: 0 }));
    expect(await second).toBe('done:2');
    expect(sent).toEqual([2]);
  });

  it('for none leaves the queue as it is, but for what is answered', async () => {
    let grants = 0;
    const paced = batcher({
      permit: () => {
        grants += 1;
        return Promise.resolve(few(grants <= 2 ? 0 : 1));
      },
    });
    expect(await paced.submit(7, 1)).toBe('done:1');
    await paced.stop();
  });
});
