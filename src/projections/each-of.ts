/** Takes each of these, so many at once, in no order. All have ended before it settles; it rejects with the first failure. */
export async function eachOf<T>(
  all: readonly T[],
  atOnce: number,
  take: (one: T) => Promise<void>,
): Promise<void> {
  const queue = [...all];
  const work = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await take(one);
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, work));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
