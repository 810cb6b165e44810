import type { SimPostgres, Upstream } from './sim-postgres.ts';
import type { FenceInputs } from './fence.ts';
import type { SimProcess } from './process.ts';
import { HeadLocks } from './head-locks.ts';
import { Walsenders } from './walsenders.ts';
import { Receiver } from './receiver.ts';
import { ApplyLauncher } from './apply-launcher.ts';
import { LogicalSenders } from './logical-senders.ts';
import { type Change, type LogRecord, Tables } from './wal.ts';

const RECORD_BYTES = 0x60;

/** What each kind of process has read of the two files; after a reload each reads them in its own time. */
interface Settings {
  clients: string;
  agents: string;
  checkpointer: string;
  postmaster: string;
  /** Whom to follow: as sessions, and as the startup process, have read it. */
  shownSource: string;
  startupSource: Upstream | null;
}

interface Waiter {
  readonly lsn: number;
  readonly done: (warning: boolean) => void;
}

/** A running server: its memory, its locks, its connections. It ends with its process. */
export class SimServer {
  readonly postgres: SimPostgres;
  readonly process: SimProcess;
  readonly started: string;
  readonly locks: HeadLocks;
  readonly walsenders: Walsenders;
  readonly receiver: Receiver;
  readonly senders: LogicalSenders;
  readonly launcher: ApplyLauncher;
  readonly settings: Settings;
  mode: 'starting' | 'recovering' | 'primary' = 'starting';
  /** A fast shutdown: nobody is let in any more; `checkpointed`: only the followers' last bytes are waited for. */
  closing: 'no' | 'asked' | 'checkpointed' = 'no';
  /** Clients' transactions that have written and not ended. */
  busy = 0;
  tables = new Tables();
  replayed = 0;
  replayPause: 'no' | 'asked' | 'paused' = 'no';
  /** Up to here commits were let go. */
  releasedLsn = 0;
  #waiters: Waiter[] = [];
  #nextPid = 1_000;
  /** pid -> whether its commit waits. */
  readonly probes = new Map<number, boolean>();
  /** pid -> how long it waits for one lock. */
  readonly lockTimeouts = new Map<number, number>();
  readonly onEnd = new Set<() => void>();

  constructor(postgres: SimPostgres, process: SimProcess, started: string) {
    this.postgres = postgres;
    this.process = process;
    this.started = started;
    const { upstream, syncNames } = postgres.disk;
    this.settings = {
      clients: syncNames,
      agents: syncNames,
      checkpointer: syncNames,
      postmaster: syncNames,
      shownSource: upstream?.name ?? '',
      startupSource: upstream,
    };
    this.locks = new HeadLocks(process);
    this.walsenders = new Walsenders(this);
    this.receiver = new Receiver(this);
    this.senders = new LogicalSenders(this);
    this.launcher = new ApplyLauncher(this);
  }

  /** Recovery: everything on disk is replayed; a primary then shows also what was still waiting when it crashed. */
  open(): void {
    const { disk } = this.postgres;
    this.tables = new Tables();
    for (const record of disk.wal.slice(0, disk.flushed)) this.tables.apply(record);
    this.replayed = disk.flushed;
    this.mode = disk.standbySignal ? 'recovering' : 'primary';
    if (this.mode === 'recovering') this.receiver.look();
    else void this.launcher.look();
  }

  get answers(): boolean {
    return this.mode !== 'starting' && this.closing === 'no';
  }

  get nextPid(): number {
    this.#nextPid += 1;
    return this.#nextPid;
  }

  get fenceInputs(): FenceInputs {
    const { host, disk } = this.postgres;
    return {
      tables: this.tables,
      lease: disk.lease,
      serverStarted: this.started,
      wallMs: host.wallMs(),
      bootMs: host.bootMs(),
      names: this.settings.clients,
    };
  }

  /** Appends to the log; `flushed` is called once it is on disk, and tells where it ends. */
  append(changes: readonly Change[], flushed: (lsn: number, records: readonly LogRecord[]) => void): void {
    // Whoever was about to commit while it shuts down has been ended.
    if (this.closing === 'no') this.#write(changes, flushed);
  }

  #write(changes: readonly Change[], flushed: (lsn: number, records: readonly LogRecord[]) => void): void {
    const { disk, environment, member } = this.postgres;
    const { scheduler, observer } = environment;
    let lsn = disk.wal.at(-1)?.lsn ?? 0;
    const records = changes.map((change) => {
      lsn += RECORD_BYTES;
      const record: LogRecord = { lsn, timeline: disk.timeline, by: member, change };
      disk.wal.push(record);
      observer.appended(member, record);
      return record;
    });
    const onDisk = () => {
      const upTo = disk.wal.findLastIndex((record) => record.lsn <= lsn) + 1;
      disk.flushed = Math.max(disk.flushed, upTo);
      this.walsenders.pump();
      this.senders.pump();
      flushed(lsn, records);
    };
    if (scheduler.random.chance(0.6)) onDisk();
    else this.process.timer(scheduler.random.between(0.2, 3), onDisk, `${this.process.name} flushed`);
  }

  /** As SyncRepWaitForLSN: whether to wait at all is the checkpointer's word, what has been released the walsenders'. */
  waitForFollowers(lsn: number, done: (warning: boolean) => void): void {
    if (this.settings.checkpointer === '' || lsn <= this.releasedLsn) done(false);
    else this.#waiters.push({ lsn, done });
  }

  release(upTo: number): void {
    if (upTo <= this.releasedLsn) return;
    this.releasedLsn = upTo;
    this.#letGo(({ lsn }) => lsn <= upTo, false);
  }

  /** Cancels every wait: what waited is published, with a warning. */
  cancelWaits(): number {
    return this.#letGo(() => true, true);
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  #letGo(which: (waiter: Waiter) => boolean, warning: boolean): number {
    const free = this.#waiters.filter(which);
    this.#waiters = this.#waiters.filter((waiter) => !free.includes(waiter));
    for (const { done } of free) done(warning);
    return free.length;
  }

  /** SIGHUP: each process reads the files as they are when it comes to it. */
  reload(): void {
    const { disk, environment } = this.postgres;
    const { random } = environment.scheduler;
    const later = (mostMs: number, read: () => void) => this.process.timer(random.between(0.2, mostMs), read);
    this.settings.postmaster = disk.syncNames;
    later(15, () => {
      this.settings.agents = disk.syncNames;
      this.settings.shownSource = disk.upstream?.name ?? '';
    });
    later(25, () => {
      this.settings.clients = disk.syncNames;
    });
    later(40, () => {
      this.settings.checkpointer = disk.syncNames;
      // Nobody has to be waited for any more: whoever waits is let go, without a warning.
      if (disk.syncNames === '') this.#letGo(() => true, false);
    });
    later(60, () => this.readSource());
    this.walsenders.reload(later);
  }

  /** The startup process reads its configuration; another source ends the receiver. */
  readSource(): void {
    const { upstream } = this.postgres.disk;
    if (this.settings.startupSource?.name === upstream?.name) return;
    this.settings.startupSource = upstream;
    this.receiver.sourceChanged();
  }

  pauseReplay(): void {
    if (this.replayPause !== 'no') return;
    this.replayPause = 'asked';
    this.process.timer(this.postgres.environment.scheduler.random.between(1, 40), () => {
      if (this.replayPause !== 'asked') return;
      this.readSource();
      this.replayPause = 'paused';
    });
  }

  resumeReplay(): void {
    this.replayPause = 'no';
    this.replay();
  }

  replay(): void {
    const { disk } = this.postgres;
    if (this.mode !== 'recovering' || this.replayPause === 'paused') return;
    for (; this.replayed < disk.flushed; this.replayed += 1) {
      const record = disk.wal[this.replayed];
      if (record !== undefined) this.tables.apply(record);
    }
  }

  /** pg_promote: the receiver ends, what is here is replayed, a new timeline begins; killed on the way it is neither. */
  promote(): void {
    const { scheduler, observer } = this.postgres.environment;
    const { disk, member } = this.postgres;
    this.process.timer(scheduler.random.between(5, 80), () => {
      if (this.mode !== 'recovering') return;
      this.settings.startupSource = null;
      this.receiver.stop();
      this.replayPause = 'no';
      this.replay();
      disk.history.push({ parent: disk.timeline, switchLsn: this.postgres.endLsn });
      disk.timeline += 1;
      if (scheduler.random.chance(0.5)) disk.standbySignal = false;
      this.process.timer(scheduler.random.between(1, 30), () => {
        disk.standbySignal = false;
        disk.lease = undefined;
        this.mode = 'primary';
        this.append([{ kind: 'nothing', why: 'end of recovery' }], () => undefined);
        // What it inherited applies at once.
        void this.launcher.look();
        observer.promoted(member);
      });
    });
  }

  /**
   * SIGINT: clients are ended, and what they waited for is published as it is; then a checkpoint ends the log, and walsenders stay
   * until their followers have flushed it, or are known to be gone.
   */
  close(): void {
    if (this.mode === 'starting') {
      this.postgres.crash('shutdown');
      return;
    }
    if (this.closing !== 'no') return;
    const { scheduler } = this.postgres.environment;
    scheduler.note(`${this.process.name} shuts down`);
    this.closing = 'asked';
    for (const listener of this.onEnd) listener();
    this.onEnd.clear();
    this.#waiters = [];
    this.launcher.leave();
    const finish = () => {
      this.closing = 'checkpointed';
      this.#leaveWhenFlushed();
    };
    this.process.timer(scheduler.random.between(1, 20), () => {
      if (this.mode === 'primary') this.#write([{ kind: 'nothing', why: 'shutdown checkpoint' }], finish);
      else finish();
    });
  }

  #leaveWhenFlushed(): void {
    const { endLsn } = this.postgres;
    const done = this.walsenders.rows.every(({ flushedLsn }) => (flushedLsn ?? 0) >= endLsn);
    if (done) this.postgres.ended(this);
    else this.process.timer(2, () => this.#leaveWhenFlushed());
  }

  end(): void {
    this.process.kill();
    this.receiver.leave();
    this.walsenders.leave();
    this.senders.leave();
    this.launcher.leave();
    for (const listener of this.onEnd) listener();
    this.onEnd.clear();
  }
}
