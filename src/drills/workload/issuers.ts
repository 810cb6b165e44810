import type { Random } from '../random.ts';
import type { PlannedIssuer, WorkloadOptions } from './types.ts';

const COLD_ISSUERS = 200;
const HOT_ISSUERS_MAX = 3;
/** Of a fresh reserve: for a hot issuer. */
export const HOT_SHARE = 0.6;
/** Of all requests: fresh reserves. What is left of the shares in plan.ts. */
export const RESERVE_SHARE = 0.6;
/** Cents. */
const NOTIONAL_MEAN = 2_100;
/**
 * The part of the run's demand, in fresh reserves, that a hot issuer's limit covers: it runs out near the middle, for releases
 * and limit changes give and take room.
 */
const HOT_COVERED = 0.38;
/** A cold issuer's limit, in shares of what it can expect to be asked for. */
const COLD_COVERED = 8;

/** Issuers of the run's own: a few hot ones that run out in the middle, and many cold ones with ample room. */
export function planIssuers(options: WorkloadOptions, random: Random): PlannedIssuer[] {
  const { runId, ratePerSecond, durationMs } = options;
  const reserves = ratePerSecond * (durationMs / 1_000) * RESERVE_SHARE;
  const hotCount = random.whole(1, HOT_ISSUERS_MAX);
  const limitFor = (share: number, covered: number) =>
    BigInt(Math.max(10_000, Math.round(reserves * share * covered * NOTIONAL_MEAN)));
  const hot = limitFor(HOT_SHARE / hotCount, HOT_COVERED);
  const cold = limitFor((1 - HOT_SHARE) / COLD_ISSUERS, COLD_COVERED);
  return Array.from({ length: hotCount + COLD_ISSUERS }, (_, index) => ({
    issuer: `drill-${runId}-${index}`,
    limit: index < hotCount ? hot : cold + BigInt(random.whole(0, 9_999)),
    hot: index < hotCount,
  }));
}

/** Cents; uneven, so that what is left of a limit fits one caller and not the next. */
export const drawNotional = (random: Random): bigint =>
  BigInt(random.whole(1, 40) * 100 + random.whole(0, 99));
