/** What a publisher keeps and sends for subscriptions elsewhere: logical slots, and a sender for each that is in use. */
import type { ApplyWorker } from './apply-worker.ts';
import { published, rowsOf, type ShardRows } from './move-tables.ts';
import type { SimServer } from './sim-server.ts';
import { type Change, Tables } from './wal.ts';

/** On disk, and on no follower's. */
export interface Slot {
  readonly name: string;
  /** What lies before will not be sent any more; null: it is being made. */
  confirmed: number | null;
  /** As it is after a crash. */
  kept: number;
  /** It kept more than is allowed, and was given up. */
  lost: boolean;
}

export interface Sent {
  readonly lsn: number;
  readonly change: Change;
}

export interface LogicalSender {
  readonly pid: number;
  readonly slot: Slot;
  readonly server: SimServer;
  readonly worker: ApplyWorker;
  readonly shards: ReadonlySet<number>;
  sent: number;
  lastAt: number;
  dead: boolean;
}

const GONE_AFTER_MS = 4_000;

export class LogicalSenders {
  readonly #server: SimServer;
  #senders: LogicalSender[] = [];

  constructor(server: SimServer) {
    this.#server = server;
  }

  of(slot: string): LogicalSender | undefined {
    return this.#senders.find((sender) => sender.slot.name === slot);
  }

  /** A worker asks for what comes after `from`; a text is Postgres's error. What the slot has let go of is not sent, and nobody is told. */
  connect(
    worker: ApplyWorker,
    { name, from }: { readonly name: string; readonly from: number },
  ): LogicalSender | string {
    const { postgres, mode, answers, tables, nextPid } = this.#server;
    const slot = postgres.disk.slots.get(name);
    if (mode !== 'primary' || !answers) return 'connection refused';
    if (slot === undefined || slot.confirmed === null || slot.lost) return `slot ${name} does not exist`;
    if (this.of(name) !== undefined) return `slot ${name} is active`;
    const shards = tables.moves.publications.get(name);
    if (shards === undefined) return `publication ${name} does not exist`;
    const sender: LogicalSender = {
      pid: nextPid,
      slot,
      server: this.#server,
      worker,
      shards: new Set(shards),
      sent: Math.max(slot.confirmed, from),
      lastAt: 0,
      dead: false,
    };
    this.#senders.push(sender);
    return sender;
  }

  /** What a copy reads: all that is in the log, whether or not its commit still waits for followers. */
  snapshot(name: string): { readonly upTo: number; readonly rows: readonly ShardRows[] } | undefined {
    const { postgres, mode, answers, tables } = this.#server;
    const shards = tables.moves.publications.get(name);
    if (mode !== 'primary' || !answers || shards === undefined) return undefined;
    const { disk } = postgres;
    const fold = new Tables();
    for (const record of disk.wal.slice(0, disk.flushed)) fold.apply(record);
    return { upTo: postgres.endLsn, rows: shards.flatMap((shard) => rowsOf(fold, shard) ?? []) };
  }

  /** Sends what is flushed and not sent yet: unlike for followers' sake, nobody else need have it. */
  pump(): void {
    for (const sender of this.#senders) if (!sender.dead) this.#pump(sender);
  }

  #pump(sender: LogicalSender): void {
    const { postgres } = this.#server;
    const { endLsn, disk, environment } = postgres;
    if (sender.sent >= endLsn) return;
    const begins = disk.wal.findLastIndex(({ lsn }) => lsn <= sender.sent) + 1;
    const batch = disk.wal.slice(begins, disk.flushed).flatMap(({ lsn, change }): readonly Sent[] => {
      const own = published(change, sender.shards);
      return own === undefined ? [] : [{ lsn, change: own }];
    });
    sender.sent = endLsn;
    const { network, scheduler } = environment;
    const { worker } = sender;
    const [from, to] = [postgres.host.name, worker.host];
    sender.lastAt = Math.max(sender.lastAt, scheduler.now + network.delayMs(from, to));
    const label = batch.length === 0 ? '' : `${postgres.member} sends ${sender.slot.name} x${batch.length}`;
    scheduler.at(sender.lastAt, label, () => {
      if (network.isCut(from, to)) this.breaks(sender);
      if (!sender.dead) worker.deliver(label, () => worker.receive(sender, batch, endLsn));
    });
  }

  /** The receiver has applied, and keeps, what lies before. */
  feedback({ slot }: LogicalSender, lsn: number): void {
    if (slot.confirmed === null) return;
    slot.confirmed = Math.max(slot.confirmed, lsn);
    if (this.#server.postgres.environment.scheduler.random.chance(0.2)) slot.kept = slot.confirmed;
  }

  /** The connection carries nothing any more; each side notices by its own time-out. */
  breaks(sender: LogicalSender): void {
    if (sender.dead) return;
    sender.dead = true;
    this.#server.process.timer(GONE_AFTER_MS, () => this.drop(sender));
    sender.worker.silent(sender);
  }

  drop(sender: LogicalSender): void {
    this.#senders = this.#senders.filter((one) => one !== sender);
  }

  /** pg_terminate_backend of who uses a slot. */
  dismiss(slot: string): void {
    const sender = this.of(slot);
    if (sender === undefined) return;
    this.drop(sender);
    this.#hangUp(sender);
  }

  leave(): void {
    for (const sender of this.#senders) this.#hangUp(sender);
    this.#senders = [];
  }

  #hangUp(sender: LogicalSender): void {
    const { postgres } = this.#server;
    sender.dead = true;
    const { network } = postgres.environment;
    const { worker } = sender;
    network.send(
      { from: postgres.host.name, to: worker.host, label: `${worker.name} loses its source` },
      () => worker.deliver('loses its source', () => worker.lost(sender)),
      () => worker.silent(sender),
    );
  }
}
