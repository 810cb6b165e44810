import { setImmediate as turn } from 'node:timers/promises';
import type { Permit, SendResult } from './sending.ts';
import type { Ticket } from './ticket.ts';

export interface LaneOptions<C, A> {
  readonly shard: number;
  readonly batchCommandsMax: number;
  readonly permit: (shard: number, wanted: () => number) => Permit | Promise<Permit>;
  readonly send: (shard: number, batch: readonly Ticket<C, A>[]) => Promise<SendResult>;
}

/**
 * One shard's queue. Idle, or running: take a permit, form a batch of what waits by then, send it, and again until
 * nothing waits. A batch that had no effect returns to the front of the queue and holds the lane until it may be
 * sent again, so order is kept. Commands that were answered meanwhile (at their deadline) are never sent: the lane leaves
 * them out of a batch, and the sender marks a batch as sent, without those, only when it has what it takes to send it.
 */
export class Lane<C, A> {
  readonly #options: LaneOptions<C, A>;
  #queue: Ticket<C, A>[] = [];
  #running: Promise<void> | undefined;

  constructor(options: LaneOptions<C, A>) {
    this.#options = options;
  }

  /** Commands that wait to be sent. Those that were answered at their deadline no longer take a place. */
  get waiting(): number {
    const live = this.#queue.findIndex((ticket) => !ticket.settled);
    if (live !== 0) this.#queue = live === -1 ? [] : this.#queue.slice(live);
    return this.#queue.length;
  }

  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  add(ticket: Ticket<C, A>): void {
    this.#queue.push(ticket);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { shard, permit, send, batchCommandsMax } = this.#options;
    const wanted = () => Math.min(batchCommandsMax, this.waiting);
    try {
      while (this.#queue.length > 0) {
        const granted = permit(shard, wanted);
        const held = granted instanceof Promise ? await granted : granted;
        let result: SendResult | undefined;
        let used = 0;
        try {
          const batch = this.#take(held);
          used = batch.length;
          if (batch.length > 0) {
            result = await send(shard, batch);
            if (result.kind === 'again') this.#putBack(batch);
          }
        } finally {
          held.release(used);
        }
        if (result?.kind === 'again') await result.when;
        // What arrived in this same turn of the event loop joins the next batch; nothing is waited for.
        else if (this.#queue.length > 0) await turn();
      }
    } finally {
      this.#running = undefined;
    }
  }

  #take({ commandsMax = Infinity, timeLeftMinMs }: Permit): readonly Ticket<C, A>[] {
    const batch: Ticket<C, A>[] = [];
    const most = Math.min(commandsMax, this.#options.batchCommandsMax);
    let taken = 0;
    for (const ticket of this.#queue) {
      if (timeLeftMinMs !== undefined && ticket.deadlineAt - performance.now() < timeLeftMinMs)
        ticket.expire();
      if (!ticket.settled) {
        if (batch.length === most) break;
        batch.push(ticket);
      }
      taken += 1;
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    return batch;
  }

  #putBack(batch: readonly Ticket<C, A>[]): void {
    const unsent = batch.filter((ticket) => !ticket.settled && ticket.progress === 'waiting');
    this.#queue = [...unsent, ...this.#queue];
  }
}
