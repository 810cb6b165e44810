import type { AnswerFacts } from '../reservations/types.ts';
import type { RouteTable } from './route-table.ts';

export type ReplyHeaders = Record<string, string>;

/** The authority's own words on itself. `unknown` is never shown as zero. */
export function headersOfFacts(routes: RouteTable, facts: AnswerFacts): ReplyHeaders {
  const route = routes.routeOf(facts.shard);
  const cluster = route?.scope.cluster ?? '';
  // A lapsed claim's lag is the one of its last proof, not of now.
  const lagMs = facts.rpo_claim === 'lapsed' ? null : facts.rpo_lag_ms;
  return {
    'capstan-shard': String(facts.shard),
    'capstan-generation': String(facts.generation),
    'capstan-term': String(facts.term),
    'capstan-rpo-lag-ms': lagMs === null ? 'unknown' : String(lagMs),
    'capstan-rpo-claim': facts.rpo_claim ?? routes.rpoOf(cluster)?.claim ?? 'unknown',
    'capstan-rpo-action': routes.actionOf(cluster),
    'capstan-durability': facts.degraded ? 'degraded' : 'sync',
  };
}

/** For an answer that the authority didn't give: what this gateway knows of it. */
export function headersOfRoute(routes: RouteTable, shard: number): ReplyHeaders {
  const route = routes.routeOf(shard);
  if (route === undefined) return { 'capstan-shard': String(shard) };
  const { cluster, generation, term } = route.scope;
  const rpo = routes.rpoOf(cluster);
  const lagMs = rpo?.lagMs ?? null;
  const degraded = routes.view.clusters.get(cluster)?.inSync?.value.degraded;
  return {
    'capstan-shard': String(shard),
    'capstan-generation': String(generation),
    'capstan-term': String(term),
    'capstan-rpo-lag-ms': lagMs === null ? 'unknown' : String(lagMs),
    'capstan-rpo-claim': rpo?.claim ?? 'unknown',
    'capstan-rpo-action': routes.actionOf(cluster),
    'capstan-durability': degraded === undefined ? 'unknown' : degraded ? 'degraded' : 'sync',
  };
}
