import type { SimPostgres } from './sim-postgres.ts';
import type { SimServer } from './sim-server.ts';
import type { LogRecord } from './wal.ts';

const GONE_AFTER_MS = 4_000;

/** One row of pg_stat_replication, and the stream behind it. */
export interface Walsender {
  readonly pid: number;
  readonly name: string;
  readonly follower: SimPostgres;
  readonly server: SimServer;
  /** `synchronous_standby_names` as this process has read it. */
  names: string;
  sent: number;
  flushedLsn: number | null;
  replayedLsn: number | null;
  replies: number;
  lastAt: number;
  /** Whether the follower has heard that it may receive: nothing travels ahead of that answer. */
  started: boolean;
  /** What travels on it is lost from now on; neither side knows yet. */
  dead: boolean;
}

export interface Reply {
  readonly flushedLsn: number;
  readonly replayedLsn: number;
}

export class Walsenders {
  readonly #server: SimServer;
  #rows: Walsender[] = [];

  constructor(server: SimServer) {
    this.#server = server;
  }

  get rows(): readonly Walsender[] {
    return this.#rows;
  }

  /** A receiver asks to be streamed to from `fromLsn` on `timeline`; undefined: this log does not contain that point. */
  connect(
    follower: SimPostgres,
    options: { name: string; timeline: number; fromLsn: number },
  ): Walsender | undefined {
    const { postgres, settings, mode, nextPid } = this.#server;
    const { disk } = postgres;
    const { name, timeline, fromLsn } = options;
    const kept =
      timeline === disk.timeline
        ? postgres.endLsn
        : disk.history.find(({ parent }) => parent === timeline)?.switchLsn;
    if (mode !== 'primary' || !this.#server.answers || kept === undefined || fromLsn > kept) return undefined;
    const row: Walsender = {
      pid: nextPid,
      name,
      follower,
      server: this.#server,
      names: settings.postmaster,
      sent: disk.wal.findLastIndex(({ lsn }) => lsn <= fromLsn) + 1,
      flushedLsn: null,
      replayedLsn: null,
      replies: 0,
      lastAt: 0,
      started: false,
      dead: false,
    };
    if (postgres.environment.planted !== 'counts-a-follower-twice') this.#replace(name);
    this.#rows.push(row);
    return row;
  }

  /** Kinder than Postgres (SPEC.md): the old connection of that name is gone, which its follower notices by the silence. */
  #replace(name: string): void {
    for (const row of this.#rows) if (row.name === name) row.dead = true;
    this.#rows = this.#rows.filter((row) => row.name !== name);
  }

  drop(row: Walsender): void {
    this.#rows = this.#rows.filter((one) => one !== row);
  }

  /** Sends what is flushed and not sent yet. */
  pump(): void {
    const { postgres } = this.#server;
    for (const row of this.#rows) {
      if (row.dead || !row.started || row.sent >= postgres.disk.flushed) continue;
      const first = row.sent;
      row.sent = postgres.disk.flushed;
      this.#send(row, first, postgres.disk.wal.slice(first, row.sent));
    }
  }

  #send(row: Walsender, first: number, batch: readonly LogRecord[]): void {
    const { postgres } = this.#server;
    const { scheduler, network } = postgres.environment;
    const from = postgres.host.name;
    const to = row.follower.host.name;
    row.lastAt = Math.max(row.lastAt, scheduler.now + network.delayMs(from, to));
    const label = `wal ${postgres.member} -> ${row.follower.member} x${batch.length}`;
    scheduler.at(row.lastAt, label, () => {
      if (network.isCut(from, to)) this.breaks(row);
      if (row.dead) return;
      const { server } = row.follower;
      server?.process.deliver(label, () => server.receiver.receive(row, first, batch));
    });
  }

  /** The connection carries nothing any more; each side notices by its own time-out. */
  breaks(row: Walsender): void {
    if (row.dead) return;
    row.dead = true;
    this.#server.process.timer(GONE_AFTER_MS, () => this.drop(row));
  }

  /** A follower's reply: what it has flushed may let commits go, by the names that this very walsender knows. */
  reply(row: Walsender, { flushedLsn, replayedLsn }: Reply): void {
    if (!this.#rows.includes(row)) return;
    row.flushedLsn = Math.max(row.flushedLsn ?? 0, flushedLsn);
    row.replayedLsn = Math.max(row.replayedLsn ?? 0, replayedLsn);
    row.replies += 1;
    if (!isNamed(row)) return;
    const { required } = parseNames(row.names);
    const flushed = this.#rows
      .filter(isNamed)
      .flatMap((one) => one.flushedLsn ?? [])
      .toSorted((a, b) => b - a);
    const reached = flushed[required - 1];
    if (reached !== undefined) this.#server.release(reached);
  }

  reload(later: (mostMs: number, read: () => void) => void): void {
    const { disk } = this.#server.postgres;
    for (const row of this.#rows)
      later(50, () => {
        row.names = disk.syncNames;
      });
  }

  /** pg_terminate_backend of those that are not named: as at the end of the server, they hear of it. */
  dismissOthers(names: ReadonlySet<string>): void {
    const others = this.#rows.filter(({ name }) => !names.has(name));
    this.#rows = this.#rows.filter(({ name }) => names.has(name));
    for (const row of others) this.#hangUp(row);
  }

  /** The server ends: its followers hear of it where the network lets them. */
  leave(): void {
    for (const row of this.#rows) this.#hangUp(row);
    this.#rows = [];
  }

  #hangUp(row: Walsender): void {
    const { postgres } = this.#server;
    row.dead = true;
    const { server } = row.follower;
    if (server === undefined) return;
    postgres.environment.network.tell(
      server.process,
      postgres.host.name,
      `${row.follower.member} loses its source`,
      () => server.receiver.lost(row),
    );
  }
}

export const isNamed = (row: Walsender): boolean => parseNames(row.names).names.has(row.name);

const parsed = new Map<string, { readonly required: number; readonly names: ReadonlySet<string> }>();

export function parseNames(text: string): { readonly required: number; readonly names: ReadonlySet<string> } {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const required = Number(/^ANY (\d+)/.exec(text)?.[1] ?? 0);
  const names = new Set([...text.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? ''));
  if (parsed.size > 1_000) parsed.clear();
  parsed.set(text, { required, names });
  return { required, names };
}
