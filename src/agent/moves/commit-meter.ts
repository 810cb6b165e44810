import type { Clock } from '../../clock/clock.ts';
import type { Session } from '../local-session.ts';

const EVERY_MS = 250;
/** At four a second: the last five seconds. */
const SAMPLES_MAX = 20;
const COMMIT = `select pg_logical_emit_message(true, 'capstan', 'a commit is measured')`;

/**
 * How long a commit takes here, followers included: what callers feel. It measures only while somebody asks; a commit that
 * doesn't end within its session's deadline counts with the time that it was given.
 */
export class CommitMeter {
  readonly #session: Session;
  readonly #clock: Clock;
  #samples: number[] = [];
  #measuredAtMs = -Infinity;
  #underWay = false;

  /** The session's commits wait for followers. */
  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** The median of the last seconds; null before the first. Starts another measurement when one is due. */
  medianMs(): number | null {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#underWay && nowMs - this.#measuredAtMs >= EVERY_MS) void this.#measure(nowMs);
    const sorted = this.#samples.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }

  async #measure(begunMs: number): Promise<void> {
    // What is older than a few measurements says nothing of now.
    if (begunMs - this.#measuredAtMs > EVERY_MS * SAMPLES_MAX) this.#samples = [];
    this.#underWay = true;
    this.#measuredAtMs = begunMs;
    try {
      await this.#session.query('select 1');
      const sentMs = this.#clock.monotonicMs();
      await this.#session.query(COMMIT).catch(() => undefined);
      const tookMs = Math.round((this.#clock.monotonicMs() - sentMs) * 10) / 10;
      this.#samples = [...this.#samples, tookMs].slice(-SAMPLES_MAX);
    } catch {
      // Postgres doesn't answer at all: nothing is known.
    } finally {
      this.#underWay = false;
    }
  }

  async close(): Promise<void> {
    this.#samples = [];
    await this.#session.close();
  }
}
