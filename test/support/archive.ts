/** Archives in memory and in folders, of logs that need no database, and what is broken in them on purpose. */
import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { LogEntry } from '../../src/domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../../src/domain/shard-log.ts';
import { archiveShard, type ArchiveShardOptions } from '../../src/archive/archive-shard.ts';
import type { ShardPlace } from '../../src/archive/keys.ts';
import type { LogReader } from '../../src/archive/log-port.ts';
import type { ArchiveStore } from '../../src/archive/store.ts';
import { lineageRow } from './log-model.ts';

export const PLACE: ShardPlace = { estate: 'harbor-point', incarnation: 'abcd', shard: 184 };

/** What any store must do, and a switch for what may go wrong. */
export class MemoryStore implements ArchiveStore {
  readonly where = 'memory';
  readonly objects = new Map<string, Buffer>();
  /** Called before each object is made; throwing, it is as if the process had died there. */
  onCreate: (key: string) => void | Promise<void> = () => undefined;

  async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    await this.onCreate(key);
    if (this.objects.has(key)) return 'exists';
    this.objects.set(key, Buffer.from(bytes));
    return 'created';
  }

  async read(key: string): Promise<Buffer | undefined> {
    return this.objects.get(key);
  }

  async *list(folder: string, after?: string): AsyncIterable<string> {
    const below = [...this.objects.keys()]
      .filter((key) => key.startsWith(folder))
      .map((key) => key.slice(folder.length));
    const names = new Set(
      below.map((name) => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : name)),
    );
    for (const name of [...names].toSorted()) if (after === undefined || name > after) yield name;
  }

  close(): void {}

  keys(part: 'segments' | 'heads'): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.includes(`/${part}/`)).toSorted();
  }
}

/** A source that holds one shard's log; what it holds may change. */
export class LogHolder implements LogReader {
  entries: readonly LogEntry[];
  lineage: readonly LineageEntry[];
  bound: number | undefined;

  constructor(entries: readonly LogEntry[], lineage: readonly LineageEntry[] = [lineageRow(1, 1, 1)]) {
    this.entries = entries;
    this.lineage = lineage;
  }

  async read(
    requests: readonly { readonly shard: number; readonly after: string }[],
    limit: number,
  ): Promise<ReadonlyMap<number, ShardLog>> {
    const bound = this.bound ?? this.entries.length;
    return new Map(
      requests.map(({ shard, after }) => {
        const from = Number(after);
        const log: ShardLog = {
          shard,
          head: String(this.entries.length),
          bound: String(bound),
          at: null,
          previous: from > bound ? null : (this.entries[from - 1] ?? null),
          lineage: this.lineage,
          entries: this.entries.slice(from, Math.min(bound, from + limit)),
        };
        return [shard, log];
      }),
    );
  }
}

/** The model's entries are of a day in November 2026: by this clock they are new, by the other old. */
export const clockAt = (wallMs: number): Clock => ({
  process: systemClock.process,
  monotonicMs: () => systemClock.monotonicMs(),
  wallMs: () => wallMs,
  bootMs: () => systemClock.bootMs(),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
  after: (ms, call) => systemClock.after(ms, call),
  uuid: () => systemClock.uuid(),
  hex: (bytes) => systemClock.hex(bytes),
});
export const NEW = Date.UTC(2026, 10, 30, 9);

export const archiveNow = (
  store: ArchiveStore,
  reader: LogReader,
  options: Partial<Omit<ArchiveShardOptions, 'store' | 'reader'>> & { readonly segmentEntries?: number } = {},
) => {
  const { segmentEntries = 50, ...rest } = options;
  return archiveShard({
    store,
    reader,
    place: PLACE,
    limits: { segmentEntries, closeAfterMs: 3_600_000, compression: 'zstd' },
    close: true,
    clock: clockAt(NEW),
    ...rest,
  });
};
