interface Run {
  readonly from: number;
  to: number;
  step: number;
}

/** `[0, 1, 2, 7]` -> `0-2, 7`; `[0, 2, 4, 6]` -> `0-6 by 2`. Expects ascending order. */
export function shardRanges(shards: readonly number[]): string {
  const runs: Run[] = [];
  for (const shard of shards) {
    const last = runs.at(-1);
    const gap = last === undefined ? 0 : shard - last.to;
    if (last !== undefined && (last.step === 0 || last.step === gap)) {
      last.to = shard;
      last.step = gap;
    } else runs.push({ from: shard, to: shard, step: 0 });
  }
  return runs.map(runText).join(', ');
}

function runText({ from, to, step }: Run): string {
  if (step === 0) return String(from);
  if (step === 1) return `${from}-${to}`;
  return from + step === to ? `${from}, ${to}` : `${from}-${to} by ${step}`;
}
