import { Lane } from './lane.ts';
import type { Permit, SendResult } from './sending.ts';
import { Ticket, type Progress } from './ticket.ts';

export interface BatcherOptions<C, A> {
  readonly batchCommandsMax: number;
  readonly queuePerShardMax: number;
  /** Commands that wait for their answer, over all shards. */
  readonly commandsMax: number;
  readonly deadlineMs: number;
  /** The right to have one more batch under way towards the shard's cluster; `wanted`: how many commands wait by now. */
  readonly permit: (shard: number, wanted: () => number) => Permit | Promise<Permit>;
  /** Sends a batch and marks what it sends. Never rejects; settles each ticket now or leaves it to its deadline. */
  readonly send: (shard: number, batch: readonly Ticket<C, A>[]) => Promise<SendResult>;
  readonly onFull: (shard: number, full: 'shard' | 'gateway') => A;
  readonly onStopping: (shard: number) => A;
  readonly onDeadline: (shard: number, command: C, progress: Progress) => A;
}

/**
 * Gathers commands into batches. Each shard has a lane: one batch is under way at a time, and the next one fills while
 * it waits, so a hot shard costs a commit a batch while a lone command is sent at once. Order within a shard is kept.
 */
export class Batcher<C, A> {
  readonly #options: BatcherOptions<C, A>;
  readonly #lanes = new Map<number, Lane<C, A>>();
  #unanswered = 0;
  #stopping = false;

  constructor(options: BatcherOptions<C, A>) {
    this.#options = options;
  }

  /** Commands that have not been sent, over all shards. */
  get waiting(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.waiting;
    return count;
  }

  /** Resolves exactly once for each command, at the latest at its deadline. */
  submit(shard: number, command: C): Promise<A> {
    const { deadlineMs, onFull, onStopping, onDeadline, queuePerShardMax, commandsMax } = this.#options;
    if (this.#stopping) return Promise.resolve(onStopping(shard));
    if (this.#unanswered >= commandsMax) return Promise.resolve(onFull(shard, 'gateway'));
    const lane = this.#laneOf(shard);
    if (lane.waiting >= queuePerShardMax) return Promise.resolve(onFull(shard, 'shard'));
    const ticket = new Ticket<C, A>({
      command,
      deadlineAt: performance.now() + deadlineMs,
      timeLeftMs: deadlineMs,
      onDeadline: (progress) => onDeadline(shard, command, progress),
    });
    lane.add(ticket);
    this.#unanswered += 1;
    return ticket.answer.finally(() => {
      this.#unanswered -= 1;
    });
  }

  /** Puts a command back that turned out to be without effect; it keeps its deadline. */
  sendAgain(shard: number, ticket: Ticket<C, A>): void {
    this.#laneOf(shard).add(ticket);
  }

  /** Refuses new commands and waits for those under way, which takes at most a deadline. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(Array.from(this.#lanes.values(), (lane) => lane.idle));
  }

  #laneOf(shard: number): Lane<C, A> {
    const known = this.#lanes.get(shard);
    if (known !== undefined) return known;
    const lane = new Lane<C, A>({ ...this.#options, shard });
    this.#lanes.set(shard, lane);
    return lane;
  }
}
