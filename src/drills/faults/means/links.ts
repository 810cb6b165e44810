import { LinkClient, type LinkPair } from '../../../sandbox/link/client.ts';
import { firstDelayMsOf, type LinkReport, type LinkSettings } from '../../../sandbox/link/link.ts';
import type { Site } from './site.ts';
import { type Disturbance, standingOn } from './standing.ts';

/** Changes links until it is released; the other disturbances of the same links stay in force. */
export async function disturb(
  site: Site,
  pairs: readonly LinkPair[],
  settings: Partial<LinkSettings>,
): Promise<() => Promise<void>> {
  const standing = standingOn(site.paths);
  const mine: Disturbance = { pairs, settings };
  const release = () =>
    standing.inTurn('links', async () => {
      standing.links.delete(mine);
      await apply(site, pairs);
    });
  await standing.inTurn('links', async () => {
    standing.links.add(mine);
    try {
      const reports = await apply(site, pairs);
      if (!pairs.every((pair) => isInForce(reports, pair, settings)))
        throw new Error('the link process reports other settings than it was given');
    } catch (error) {
      standing.links.delete(mine);
      throw error;
    }
  });
  return release;
}

export const bothWays = (one: string, other: string): readonly LinkPair[] => [
  { from: one, to: other },
  { from: other, to: one },
];

async function apply(site: Site, pairs: readonly LinkPair[]): Promise<LinkReport[]> {
  const client = new LinkClient(site.paths, site.state);
  let reports: LinkReport[] = [];
  for (const pair of pairs) reports = await client.change([pair], wantedOn(site, pair));
  return reports;
}

function wantedOn({ paths, state }: Site, pair: LinkPair): LinkSettings {
  let wanted: LinkSettings = {
    delayMs: firstDelayMsOf(pair, state.wanDelayMs),
    bytesPerSecond: null,
    cut: null,
  };
  for (const { pairs, settings } of standingOn(paths).links)
    if (pairs.some(({ from, to }) => from === pair.from && to === pair.to))
      wanted = { ...wanted, ...settings };
  return wanted;
}

const isInForce = (
  reports: readonly LinkReport[],
  { from, to }: LinkPair,
  settings: Partial<LinkSettings>,
): boolean => {
  const report = reports.find((one) => one.from === from && one.to === to);
  return (
    report !== undefined &&
    (Object.keys(settings) as (keyof LinkSettings)[]).every((key) => report[key] === settings[key])
  );
};
