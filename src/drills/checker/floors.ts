import { type Floor, type Operation, type Shard, isRead } from './facts.ts';
import { isDecided, isLostReport } from './tokens.ts';

/**
 * Whoever was told a position, or a state as of one, proves that everything up to it had been decided by then. Keeps, a
 * shard, the answers that raised what was known.
 */
export function raiseFloors(answered: readonly Operation[]): void {
  for (const operation of answered) {
    const { issuer, token, decision, asOfPosition } = operation;
    const { shard } = issuer;
    if (shard === null || operation.kind !== 'ok') continue;
    if (token !== null && isDecided(operation) && !isLostReport(token, operation)) {
      raise(shard.decisionFloors, decision?.position ?? -1, operation);
    }
    const hasState = isRead(operation.action) || operation.action === 'resolve';
    if (hasState && asOfPosition >= 0 && !isOfLostLog(operation, shard)) {
      raise(shard.readFloors, asOfPosition, operation);
    }
  }
}

function raise(floors: Floor[], position: number, by: Operation): void {
  if (position > (floors.at(-1)?.position ?? -1)) floors.push({ position, by });
}

/** It shows positions that a failover lost: others have their numbers by now. */
export const isOfLostLog = ({ asOf, asOfPosition }: Operation, { losses }: Shard): boolean =>
  losses.some(({ position, againUnder }) => position <= asOfPosition && (asOf?.term ?? -1) < againUnder);

/** The highest position that was answered before the line `i`. */
export const floorBefore = (floors: readonly Floor[], i: number): Floor | null =>
  last(floors, ({ by }) => by.answerI < i);

/** The highest position that was answered before the time `t`. */
export const floorBeforeTime = (floors: readonly Floor[], t: number): Floor | null =>
  last(floors, ({ by }) => by.answerT < t);

/** The last that is early enough, of a list in rising order. */
function last(floors: readonly Floor[], isEarly: (floor: Floor) => boolean): Floor | null {
  let low = 0;
  let high = floors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const floor = floors[middle];
    if (floor !== undefined && isEarly(floor)) low = middle + 1;
    else high = middle;
  }
  return floors[low - 1] ?? null;
}
