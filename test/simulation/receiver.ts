import type { SimServer } from './sim-server.ts';
import type { Walsender } from './walsenders.ts';
import type { LogRecord } from './wal.ts';

const RETRY_MS = { least: 50, most: 250 };
/** wal_receiver_status_interval, as the agents set it. */
const STATUS_EVERY_MS = 1_000;
const SILENT_MS = 3_000;

/** The walreceiver of a standby: at most one, begun by the startup process while there is a source. */
export class Receiver {
  readonly #server: SimServer;
  #id = 0;
  #state: 'none' | 'connecting' | 'streaming' = 'none';
  #row: Walsender | undefined;
  #looking = false;
  /** Whether anything was received since the server started. */
  received = false;

  constructor(server: SimServer) {
    this.#server = server;
  }

  get present(): boolean {
    return this.#state !== 'none';
  }

  get streamsFrom(): Walsender | undefined {
    return this.#state === 'streaming' ? this.#row : undefined;
  }

  /** The startup process looks whether there is somebody to receive from. */
  look(): void {
    if (this.#looking || this.present) return;
    const { process, settings, mode, postgres } = this.#server;
    if (mode !== 'recovering' || settings.startupSource === null) return;
    this.#looking = true;
    const { random } = postgres.environment.scheduler;
    process.timer(random.between(RETRY_MS.least, RETRY_MS.most), () => {
      this.#looking = false;
      this.#connect();
    });
  }

  sourceChanged(): void {
    if (!this.present) {
      this.look();
      return;
    }
    const id = this.#id;
    const { random } = this.#server.postgres.environment.scheduler;
    this.#server.process.timer(random.between(0.5, 50), () => {
      if (id === this.#id) this.stop();
      this.look();
    });
  }

  #connect(): void {
    const { postgres, settings, process, mode } = this.#server;
    const source = settings.startupSource;
    if (mode !== 'recovering' || source === null || this.present) return;
    const { network, scheduler, postgresOf } = postgres.environment;
    const leader = postgresOf(source.member);
    this.#id += 1;
    const id = this.#id;
    this.#state = 'connecting';
    const giveUp = () => {
      if (id !== this.#id || this.#state !== 'connecting') return;
      this.#state = 'none';
      this.look();
    };
    const late = process.timer(2_000, giveUp);
    if (leader === undefined) return;
    network.send(
      {
        from: postgres.host.name,
        to: leader.host.name,
        label: `${postgres.member} asks ${leader.member} for its log`,
      },
      () => {
        const { server } = leader;
        if (server === undefined) {
          network.tell(process, leader.host.name, 'connection refused', giveUp);
          return;
        }
        server.process.deliver('replication', () => {
          const row = server.walsenders.connect(postgres, {
            name: source.as,
            timeline: postgres.disk.timeline,
            fromLsn: postgres.endLsn,
          });
          network.send(
            {
              from: leader.host.name,
              to: postgres.host.name,
              label: `${leader.member} answers ${postgres.member}`,
            },
            () =>
              process.deliver('replication', () => {
                if (id !== this.#id || this.#state !== 'connecting' || row === undefined) {
                  if (row !== undefined) server.walsenders.breaks(row);
                  giveUp();
                  return;
                }
                late();
                this.#state = 'streaming';
                this.#row = row;
                row.started = true;
                this.#watch(id);
                this.#reply();
                scheduler.note(`${postgres.member} follows ${leader.member}`);
                if (server.process.alive) server.walsenders.pump();
              }),
            () => row !== undefined && server.walsenders.breaks(row),
          );
        });
      },
    );
  }

  /** Tells how far it is, also when nothing came; silence on a broken connection ends it. */
  #watch(id: number, silentForMs = 0): void {
    this.#server.process.timer(STATUS_EVERY_MS, () => {
      if (id !== this.#id || this.#state !== 'streaming') return;
      const silentMs = this.#row?.dead === true ? silentForMs + STATUS_EVERY_MS : 0;
      if (silentMs >= SILENT_MS) this.stop();
      else {
        this.#reply();
        this.#watch(id, silentMs);
      }
      this.look();
    });
  }

  /** `first`: the number of the batch's first record in the leader's log, and so in this one. */
  receive(row: Walsender, first: number, batch: readonly LogRecord[]): void {
    const { postgres, process } = this.#server;
    if (row !== this.#row || this.#state !== 'streaming') return;
    const { disk, environment } = postgres;
    const { random } = environment.scheduler;
    if (disk.wal.length !== first)
      throw new Error(`${postgres.member} holds ${disk.wal.length} records and receives number ${first}`);
    this.received = true;
    for (const record of batch) {
      disk.wal.push(record);
      if (record.timeline > disk.timeline) this.#newTimeline(record.timeline, row);
    }
    const upTo = disk.wal.length;
    const flush = () => {
      disk.flushed = Math.max(disk.flushed, upTo);
      if (row === this.#row) this.#reply();
      if (random.chance(0.6)) this.#server.replay();
      else {
        const lagMs = random.chance(0.1) ? random.between(20, 600) : random.between(0.2, 15);
        process.timer(lagMs, () => this.#server.replay());
      }
    };
    if (random.chance(0.7)) flush();
    else process.timer(random.between(0.2, 8), flush, `${process.name} flushed`);
  }

  #newTimeline(timeline: number, row: Walsender): void {
    const { disk } = this.#server.postgres;
    disk.timeline = timeline;
    disk.history = [...row.server.postgres.disk.history];
  }

  #reply(): void {
    const row = this.#row;
    if (row === undefined) return;
    const { postgres } = this.#server;
    const { member, host, disk, environment } = postgres;
    const replayedLsn = disk.wal[this.#server.replayed - 1]?.lsn ?? 0;
    const told = { flushedLsn: postgres.endLsn, replayedLsn };
    const label = `${member} has flushed ${told.flushedLsn}`;
    const { process, walsenders } = row.server;
    environment.network.send(
      { from: host.name, to: process.host.name, label },
      () => {
        if (!row.dead) process.deliver(label, () => walsenders.reply(row, told));
      },
      () => walsenders.breaks(row),
    );
  }

  lost(row: Walsender): void {
    if (row !== this.#row) return;
    this.stop();
    this.look();
  }

  /** Ends it; what it has written is flushed, and the leader hears that it has gone. */
  stop(): void {
    if (!this.present) return;
    const { disk } = this.#server.postgres;
    disk.flushed = disk.wal.length;
    this.#server.replay();
    this.leave();
  }

  /** As `stop`, at the end of the server: nothing more is flushed. */
  leave(): void {
    this.#id += 1;
    const row = this.#row;
    this.#state = 'none';
    this.#row = undefined;
    if (row === undefined || row.dead) return;
    const { member, host, environment } = this.#server.postgres;
    const { process, walsenders } = row.server;
    const label = `${member} hangs up`;
    environment.network.send(
      { from: host.name, to: process.host.name, label },
      () => process.deliver(label, () => walsenders.drop(row)),
      () => walsenders.breaks(row),
    );
  }
}
