import type { DeskSwitch, Ground } from '../types.ts';
import { standingOn } from './standing.ts';

/** Sets what happens to a region's desks until it is released; the latest fault of several has its way. */
export function disturbDesks(
  { paths, desks }: Ground,
  region: string,
  mode: Parameters<DeskSwitch['set']>[1],
): () => Promise<void> {
  const standing = standingOn(paths);
  const mine = { mode };
  const modes = standing.desks.get(region) ?? [];
  standing.desks.set(region, [...modes, mine]);
  desks.set(region, mode);
  return async () => {
    const left = (standing.desks.get(region) ?? []).filter((one) => one !== mine);
    standing.desks.set(region, left);
    desks.set(region, left.at(-1)?.mode ?? 'pass');
  };
}
