/** `[0, 1, 2, 7]` -> `0-2, 7`. Expects ascending order. */
export function shardRanges(shards: readonly number[]): string {
  const ranges: { from: number; to: number }[] = [];
  for (const shard of shards) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to === shard - 1) last.to = shard;
    else ranges.push({ from: shard, to: shard });
  }
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}
