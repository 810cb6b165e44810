import { routeIssuer } from '../controlplane/route-issuer.ts';
import { lookUp } from './estate.ts';
import { facts } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { MapRoute } from './schemas/map.ts';

export const MAP_ROUTE_KIND = 'MapRoute';

/** What `capstan map route` answers; for the command, and for its quick way in. */
export async function routeResult(options: {
  readonly issuer: string;
  /** `--config`. */
  readonly config: string | undefined;
}): Promise<CommandResult> {
  const { issuer, config } = options;
  const { entry, mapVersion, authority } = await lookUp(config, (found) => routeIssuer({ ...found, issuer }));
  const data: MapRoute = {
    issuer,
    shard: entry.shard,
    cluster: entry.cluster,
    generation: entry.generation,
    state: entry.state,
    mapVersion,
    term: authority?.term ?? null,
    leader: authority?.leader ?? null,
    phase: authority?.phase ?? null,
  };
  return {
    kind: MAP_ROUTE_KIND,
    data,
    names: [`shard/${data.shard}`],
    view: () => [
      facts([
        ['issuer', data.issuer],
        ['shard', data.shard],
        ['cluster', data.cluster],
        ['leader', data.leader],
        ['phase', data.phase],
        ['generation', data.generation],
        ['term', data.term],
        ['state', data.state],
        ['map version', data.mapVersion],
      ]),
    ],
  };
}
