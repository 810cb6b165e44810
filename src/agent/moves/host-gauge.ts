import type { Clock } from '../../clock/clock.ts';
import { parseLsn } from '../../domain/lsn.ts';
import type { CommitMeter } from './commit-meter.ts';
import type { MoveGround } from './ground.ts';
import type { HostFigures } from './stream-report.ts';

/** The rate of WAL is that of about so long. */
const RATE_OVER_MS = 5_000;
const DISK_EVERY_MS = 5_000;

/** What all streams of an owner share: disk, WAL rate, commit time. Measured only while it is asked for. */
export class HostGauge {
  readonly #ground: MoveGround;
  readonly #commits: CommitMeter;
  readonly #clock: Clock;
  #marks: readonly { readonly atMs: number; readonly lsn: bigint }[] = [];
  #disk: { readonly atMs: number; readonly bytes: bigint | undefined } | undefined;

  constructor(ground: MoveGround, commits: CommitMeter, clock: Clock) {
    this.#ground = ground;
    this.#commits = commits;
    this.#clock = clock;
  }

  async read(flushedLsn: string): Promise<HostFigures> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#disk === undefined || nowMs - this.#disk.atMs > DISK_EVERY_MS)
      this.#disk = { atMs: nowMs, bytes: await this.#ground.diskFreeBytes() };
    return {
      diskFreeBytes: this.#disk.bytes,
      walBytesPerSecond: this.#rate(parseLsn(flushedLsn) ?? 0n, nowMs),
      commitMs: this.#commits.medianMs(),
    };
  }

  #rate(lsn: bigint, nowMs: number): number | null {
    const kept = this.#marks.filter(({ atMs }) => nowMs - atMs <= RATE_OVER_MS);
    const [first] = kept;
    const newest = kept.at(-1);
    this.#marks = newest === undefined || nowMs - newest.atMs >= 200 ? [...kept, { atMs: nowMs, lsn }] : kept;
    if (first === undefined || nowMs - first.atMs < 1_000 || lsn < first.lsn) return null;
    return Math.round(Number(lsn - first.lsn) / ((nowMs - first.atMs) / 1_000));
  }
}
