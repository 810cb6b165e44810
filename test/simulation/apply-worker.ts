/** The subscriber's side: a worker for each enabled subscription of a primary. */
import { assertNever } from '../../src/domain/errors.ts';
import type { LogicalSender, Sent } from './logical-senders.ts';
import { clashOf, type ShardRows } from './move-tables.ts';
import { asksNoFollower } from './planted.ts';
import type { SimServer } from './sim-server.ts';
import type { Change } from './wal.ts';

const RETRY_MS = { least: 200, most: 900 };
const NOTICES_AFTER_MS = 4_000;
const LOCK_MS = 600_000;

interface Waiting {
  readonly lsn: number;
  /** Undefined: nothing of it is published, only how far the source is. */
  readonly change: Change | undefined;
}

/**
 * Copies once, then applies what the source sends, one transaction after the other; each commit waits for the followers. An error, and
 * a connection that breaks, disable the subscription (`disable_on_error`); a source that can't be reached is tried again.
 */
export class ApplyWorker {
  readonly name: string;
  readonly #server: SimServer;
  #sender: LogicalSender | undefined;
  #queue: Waiting[] = [];
  #alive = true;
  /** Ends the wait of the transaction that is committed and waits for followers. */
  #letGo: (() => void) | undefined;
  #busy = false;
  #stopped: (() => void)[] = [];
  receivedLsn: number | null = null;

  constructor(server: SimServer, name: string) {
    this.#server = server;
    this.name = name;
    this.#server.process.timer(this.#random.between(1, 60), () => this.#begin());
  }

  get host(): string {
    return this.#server.postgres.host.name;
  }

  get #random() {
    return this.#server.postgres.environment.scheduler.random;
  }

  deliver(label: string, run: () => void): void {
    this.#server.process.deliver(label, run);
  }

  #begin(): void {
    const subscription = this.#server.tables.moves.subscriptions.get(this.name);
    if (!this.#alive || subscription === undefined) return;
    const from = this.#server.tables.moves.origins.get(this.name);
    const source = this.#server.postgres.environment.postgresOf(subscription.source);
    const again = () => {
      if (this.#alive && this.#sender === undefined)
        this.#server.process.timer(this.#random.between(RETRY_MS.least, RETRY_MS.most), () => this.#begin());
    };
    if (source === undefined) return;
    const { network } = this.#server.postgres.environment;
    const [here, there] = [this.host, source.host.name];
    let over = false;
    const once = (act: () => void) => () => {
      if (over) return;
      over = true;
      late();
      act();
    };
    const late = this.#server.process.timer(2_500, once(again));
    network.send({ from: here, to: there, label: `${this.name} asks ${source.member}` }, () => {
      const { server } = source;
      if (server === undefined) {
        network.tell(this.#server.process, there, 'connection refused', once(again));
        return;
      }
      server.process.deliver('logical', () => {
        const copied = from === undefined ? server.senders.snapshot(this.name) : undefined;
        const sender =
          from === undefined ? undefined : server.senders.connect(this, { name: this.name, from });
        const refused = from === undefined ? copied === undefined : typeof sender === 'string';
        network.send(
          { from: there, to: here, label: refused ? '' : `${source.member} answers ${this.name}` },
          () =>
            this.deliver('logical', () => {
              if (over || !this.#alive) {
                if (typeof sender === 'object') server.senders.breaks(sender);
                return;
              }
              once(() => undefined)();
              if (copied !== undefined) this.#copy(copied);
              else if (typeof sender === 'object') this.#stream(sender);
              else again();
            }),
          () => typeof sender === 'object' && server.senders.breaks(sender),
        );
      });
    });
  }

  /** In reality table by table, each in a transaction of its own. */
  #copy({ upTo, rows }: { readonly upTo: number; readonly rows: readonly ShardRows[] }): void {
    const takesMs = this.#random.chance(0.2)
      ? this.#random.between(300, 2_500)
      : this.#random.between(5, 300);
    this.#server.process.timer(takesMs, () => {
      if (!this.#alive) return;
      const change = { kind: 'copy', name: this.name, upTo, rows } as const;
      const clash = clashOf(this.#server.tables, change);
      if (clash !== undefined) this.#fail(clash);
      else
        this.#commit(change, () => {
          this.#begin();
        });
    });
  }

  #stream(sender: LogicalSender): void {
    this.#sender = sender;
    this.receivedLsn = sender.sent;
    sender.server.senders.pump();
  }

  receive(sender: LogicalSender, batch: readonly Sent[], upTo: number): void {
    if (sender !== this.#sender || !this.#alive) return;
    this.receivedLsn = upTo;
    this.#queue.push(...batch, { lsn: upTo, change: undefined });
    this.#next();
  }

  #next(): void {
    if (this.#busy || !this.#alive) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    const { tables } = this.#server;
    const { lsn, change } = next;
    if (change === undefined || lsn <= (tables.moves.origins.get(this.name) ?? 0)) {
      this.#next();
      return;
    }
    const clash = clashOf(tables, change);
    if (clash !== undefined) {
      this.#fail(clash);
      return;
    }
    const commit = () =>
      this.#commit({ kind: 'rows', name: this.name, upTo: lsn, changes: [change] }, () => {
        this.#confirm(lsn);
        this.#next();
      });
    // A receiver that is busy applies late.
    const { slowApplyMs } = this.#server.postgres;
    if (slowApplyMs === 0 && this.#random.chance(0.9)) commit();
    else {
      this.#busy = true;
      this.#server.process.timer(this.#random.between(0.5, Math.max(30, slowApplyMs)), () => {
        this.#busy = false;
        if (this.#alive) commit();
        this.#idle();
      });
    }
  }

  #commit(change: Extract<Change, { kind: 'copy' | 'rows' }>, then: () => void): void {
    const server = this.#server;
    const shards = shardsIn(change);
    this.#busy = true;
    server.locks.takeAll(
      shards,
      LOCK_MS,
      () => {
        if (!this.#alive) {
          for (const shard of shards) server.locks.free(shard);
          this.#busy = false;
          this.#idle();
          return;
        }
        server.append([change], (lsn, records) => {
          let over = false;
          const visible = () => {
            if (over) return;
            over = true;
            this.#letGo = undefined;
            for (const record of records) server.tables.apply(record);
            for (const shard of shards) server.locks.free(shard);
            this.#busy = false;
            if (this.#alive) then();
            this.#idle();
          };
          // It ends with its worker: what is committed is seen.
          this.#letGo = visible;
          if (!this.#alive || asksNoFollower(server.postgres.environment.planted)) visible();
          else server.waitForFollowers(lsn, visible);
        });
      },
      () => this.#fail('a head is locked'),
    );
  }

  #confirm(lsn: number): void {
    const sender = this.#sender;
    if (sender === undefined || sender.dead) return;
    const { network } = this.#server.postgres.environment;
    const { process, senders } = sender.server;
    network.send({ from: this.host, to: process.host.name, label: '' }, () =>
      process.deliver('feedback', () => senders.feedback(sender, lsn)),
    );
  }

  /** Nothing comes any more; it is noticed after a while. */
  silent(sender: LogicalSender): void {
    this.#server.process.timer(NOTICES_AFTER_MS, () => this.lost(sender));
  }

  lost(sender: LogicalSender): void {
    if (sender === this.#sender && this.#alive) this.#fail('the connection broke');
  }

  #fail(why: string): void {
    const server = this.#server;
    server.postgres.environment.scheduler.note(`${server.process.name} ${this.name} stops: ${why}`);
    server.launcher.failed(this.name);
    server.append([{ kind: 'apply', name: this.name, on: false }], (_, records) => {
      for (const record of records) server.tables.apply(record);
      void server.launcher.look();
    });
  }

  /** Resolves once it writes nothing more: what it has committed is seen, what it hasn't is gone. */
  stop(): Promise<void> {
    this.#alive = false;
    this.#queue = [];
    this.#leave();
    this.#letGo?.();
    if (!this.#busy) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopped.push(resolve);
    return promise;
  }

  #idle(): void {
    if (this.#busy) return;
    for (const resolve of this.#stopped) resolve();
    this.#stopped = [];
  }

  /** At the end of the server, too. */
  leave(): void {
    this.#alive = false;
    this.#leave();
  }

  #leave(): void {
    const sender = this.#sender;
    this.#sender = undefined;
    if (sender === undefined || sender.dead) return;
    const { network } = this.#server.postgres.environment;
    const { process, senders } = sender.server;
    network.send(
      { from: this.host, to: process.host.name, label: '' },
      () => process.deliver('hangs up', () => senders.drop(sender)),
      () => senders.breaks(sender),
    );
  }
}

function shardsIn(change: Change): readonly number[] {
  switch (change.kind) {
    case 'decide':
      return [change.shard];
    case 'rows':
      return [...new Set(change.changes.flatMap(shardsIn))].toSorted((a, b) => a - b);
    case 'copy':
      return change.rows.map(({ shard }) => shard).toSorted((a, b) => a - b);
    case 'seal':
      return change.shards.map(({ shard }) => shard).toSorted((a, b) => a - b);
    case 'adopt':
    case 'nothing':
    case 'publish':
    case 'unpublish':
    case 'subscribe':
    case 'unsubscribe':
    case 'apply':
    case 'wipe':
      return [];
    default:
      return assertNever(change);
  }
}
