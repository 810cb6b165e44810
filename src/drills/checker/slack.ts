import { type Amount, plus } from './amount.ts';
import type { Issuer } from './facts.ts';

/** By how much an issuer's state may differ from what is known, because of decisions whose position nobody knows. */
export interface Slack {
  /** The sum of the reserves among them; null: not known. */
  readonly reserves: Amount | null;
  readonly releases: boolean;
  readonly limits: readonly Amount[];
}

/** Null when every decision of the issuer has its position. */
export function slackOf({ loose }: Issuer): Slack | null {
  if (loose.length === 0) return null;
  let reserves: Amount | null = 0;
  let releases = false;
  const limits: Amount[] = [];
  for (const { attempts } of loose) {
    const content = attempts.find(
      ({ action, kind }) => kind !== 'fail' && action !== 'resolve' && action !== 'settle',
    );
    if (content === undefined) continue;
    if (content.action === 'reserve') {
      reserves = reserves === null || content.notional === null ? null : plus(reserves, content.notional);
    } else if (content.action === 'release') {
      releases = true;
    } else {
      const limit = content.limit ?? content.notional;
      if (limit !== null && !limits.includes(limit)) limits.push(limit);
    }
  }
  return { reserves, releases, limits };
}
