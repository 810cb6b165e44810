import type { Network } from './network.ts';
import type { Lease } from './fence.ts';
import { SimProcess, type SimHost } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import { SimServer } from './sim-server.ts';
import type { LogRecord } from './wal.ts';
import type { Slot } from './logical-senders.ts';
import type { Planted } from './planted.ts';

/** Whom to follow: the member, the name that notes it, and the name that this member follows under. */
export interface Upstream {
  readonly member: string;
  readonly name: string;
  readonly as: string;
}

/** What survives a crash. The first `flushed` records of the log are on disk; what follows may be lost. */
export interface Disk {
  exists: boolean;
  standbySignal: boolean;
  system: string;
  wal: LogRecord[];
  flushed: number;
  /** Of the log's end, and how it came to be. */
  timeline: number;
  history: { readonly parent: number; readonly switchLsn: number }[];
  /** Whether it was last ended by a clean shutdown. */
  cleanEnd: boolean;
  /** The UNLOGGED row; only a clean shutdown keeps it. */
  lease: Lease | undefined;
  /** The two files that a role changes. */
  upstream: Upstream | null;
  syncNames: string;
  /** Logical ones; they are on no follower's disk. */
  readonly slots: Map<string, Slot>;
}

export const emptyDisk = (): Disk => ({
  exists: false,
  standbySignal: false,
  system: '',
  wal: [],
  flushed: 0,
  timeline: 1,
  history: [],
  cleanEnd: false,
  lease: undefined,
  upstream: null,
  syncNames: '',
  slots: new Map(),
});

export interface SimEnvironment {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly planted: Planted;
  readonly postgresOf: (member: string) => SimPostgres | undefined;
  readonly observer: PostgresObserver;
}

/** What the omniscient checks want to hear of. */
export interface PostgresObserver {
  appended(member: string, record: LogRecord): void;
  /** A reply that says so is about to leave; `record` holds what it confirms. */
  acknowledged(member: string, token: string, shard: number): void;
  promoted(member: string): void;
}

let runs = 0;

/** One member's Postgres: a data directory, and a server while one runs. */
export class SimPostgres {
  readonly member: string;
  readonly host: SimHost;
  readonly environment: SimEnvironment;
  disk: Disk = emptyDisk();
  server: SimServer | undefined;
  crashes = 0;
  /** Above 0: each transaction of a subscription takes up to so long. */
  slowApplyMs = 0;

  constructor(member: string, host: SimHost, environment: SimEnvironment) {
    this.member = member;
    this.host = host;
    this.environment = environment;
  }

  get endLsn(): number {
    return this.disk.wal[this.disk.flushed - 1]?.lsn ?? 0;
  }

  /** Begins a server on what is on disk; it answers a moment later. */
  start(): void {
    if (this.server !== undefined || !this.disk.exists) return;
    const { scheduler } = this.environment;
    this.disk.cleanEnd = false;
    runs += 1;
    const process = new SimProcess(scheduler, this.host, `postgres-${this.member}`);
    const server = new SimServer(this, process, String(runs));
    this.server = server;
    scheduler.note(`${process.name} starts`);
    process.timer(scheduler.random.between(20, 120), () => server.open(), `${process.name} answers`);
  }

  /** kill -9, or an immediate shutdown: connections break, what was not flushed is lost in part. */
  crash(why: string): void {
    const { server, disk } = this;
    if (server === undefined) return;
    if (server.closing === 'checkpointed') {
      this.ended(server);
      return;
    }
    const { scheduler } = this.environment;
    this.crashes += 1;
    scheduler.note(`postgres-${this.member} ends: ${why}`);
    server.end();
    this.server = undefined;
    const kept = disk.flushed + scheduler.random.below(disk.wal.length - disk.flushed + 1);
    disk.wal.length = kept;
    disk.flushed = kept;
    disk.lease = undefined;
    for (const [name, slot] of disk.slots)
      if (slot.confirmed === null) disk.slots.delete(name);
      else slot.confirmed = slot.kept;
  }

  /** After the shutdown checkpoint: the control file says so, however the last processes end, and the lease's row stays. */
  ended(server: SimServer): void {
    const { disk } = this;
    if (this.server !== server) return;
    disk.flushed = disk.wal.length;
    server.end();
    this.server = undefined;
    disk.cleanEnd = true;
    this.environment.scheduler.note(`postgres-${this.member} is shut down`);
  }

  /** A fast shutdown is asked for; one that doesn't come to its end is ended otherwise. */
  shutDown(): void {
    const { server } = this;
    server?.process.deliver('shutdown', () => server.close());
  }
}

/** Run numbers begin anew with each world, so that a seed's trace doesn't depend on what ran before it. */
export function resetRuns(): void {
  runs = 0;
}
