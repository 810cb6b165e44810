import type { ProgressPeak } from '../domain/agent-reports.ts';

/** What was held at a moment of the monotonic clock. */
export interface Held {
  readonly atMs: number;
  readonly lsn: bigint;
  readonly positions: Readonly<Record<string, string>>;
}

const SPAN_MS = 60_000;
/** Shorter steps are joined: two looks close to each other would make any decision look like a rush. */
const STEP_MS_MIN = 500;

interface Step {
  readonly endedAtMs: number;
  readonly decisions: number;
  readonly bytes: number;
  readonly shards: Readonly<Record<string, number>>;
}

/** The busiest second of the last minute, from looks about a second apart; rates are rounded up. */
export class ProgressRing {
  #last: Held | undefined;
  #steps: Step[] = [];

  tick(held: Held): ProgressPeak {
    const last = this.#last;
    if (last === undefined) this.#last = held;
    else if (held.atMs - last.atMs >= STEP_MS_MIN) {
      this.#steps.push(stepBetween(last, held));
      this.#last = held;
    }
    this.#steps = this.#steps.filter(({ endedAtMs }) => held.atMs - endedAtMs < SPAN_MS);
    return this.#peak();
  }

  #peak(): ProgressPeak {
    const shards: Record<string, number> = {};
    for (const step of this.#steps)
      for (const [shard, rate] of Object.entries(step.shards))
        shards[shard] = Math.max(shards[shard] ?? 0, rate);
    return {
      decisionsPerSecond: Math.max(0, ...this.#steps.map(({ decisions }) => decisions)),
      bytesPerSecond: Math.max(0, ...this.#steps.map(({ bytes }) => bytes)),
      shards,
    };
  }
}

function stepBetween(before: Held, after: Held): Step {
  const seconds = (after.atMs - before.atMs) / 1_000;
  const moved = Object.entries(after.positions)
    .map(
      ([shard, position]) =>
        [shard, Number(BigInt(position) - BigInt(before.positions[shard] ?? '0'))] as const,
    )
    .filter(([, count]) => count > 0);
  const decisions = moved.reduce((sum, [, count]) => sum + count, 0);
  return {
    endedAtMs: after.atMs,
    decisions: Math.ceil(decisions / seconds),
    bytes: Math.max(0, Math.ceil(Number(after.lsn - before.lsn) / seconds)),
    shards: Object.fromEntries(moved.map(([shard, count]) => [shard, Math.ceil(count / seconds)])),
  };
}
