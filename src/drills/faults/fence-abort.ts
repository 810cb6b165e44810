import { drawCluster, hasFollower, readViews } from './means/clusters.ts';
import { abortOperationOf, fenceOnly } from './means/failover.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import type { Fault } from './types.ts';

const FINISH_WITHIN_MS = 30_000;

/** The same leader, two terms later: whoever didn't look again believes in a term that is over. */
export const fenceAbort: Fault = {
  name: 'fence-abort',
  summary: 'a failover that is fenced and then aborted: the same leader leads again, two terms later',
  holdMs: { min: 300, max: 4_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned, hasFollower);
    const operation = await fenceOnly(ground, name);
    const authority = (await readViews(ground)).get(name)?.authority?.value;
    if (authority === undefined || authority.term <= term)
      throw new NothingToInjectInto(`${name} is not fenced`);
    return inForce(name, { leader, term, fenced_term: authority.term, operation }, async () => {
      await abortOperationOf(ground, operation, FINISH_WITHIN_MS);
    });
  },
};
