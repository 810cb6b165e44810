/** The figures of one measured phase. Times in milliseconds. */
export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The nearest-rank percentile of unsorted samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Rounds are paired: the ratio of each round, then the median, so that a drifting machine cancels out. */
export interface Ratio {
  readonly name: string;
  readonly goal: string;
  readonly value: number;
  readonly met: boolean;
  readonly rounds: readonly number[];
}

export function ratio(
  name: string,
  {
    of,
    to,
    atLeast,
    atMost,
  }: { of: readonly number[]; to: readonly number[]; atLeast?: number; atMost?: number },
): Ratio {
  const rounds = of.map((value, round) => value / (to[round] ?? Number.NaN));
  const value = median(rounds);
  const met = (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
  const goal = atLeast === undefined ? `at most ${atMost}x` : `at least ${atLeast}x`;
  return { name, goal, value, met, rounds };
}

/** One line a ratio; says plainly where a goal is missed. */
export function formatRatios(ratios: readonly Ratio[]): string {
  const width = Math.max(...ratios.map(({ name }) => name.length));
  return ratios
    .map(({ name, goal, value, met, rounds }) => {
      const spread = rounds.map((each) => each.toFixed(2)).join(' ');
      return `${met ? 'met   ' : 'MISSED'}  ${name.padEnd(width)}  ${value.toFixed(2)}x  (goal ${goal}; rounds ${spread})`;
    })
    .join('\n');
}
