import { canonicalHash } from '../../domain/canonical-json.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Candidates } from './candidates.ts';
import type { LossForecast } from './loss-forecast.ts';

/** Over what the decision rests on, and not over what moves all the time (LSNs, heartbeat ages). */
export function planHash(about: {
  readonly view: ClusterView;
  readonly mapVersion: number | null;
  readonly sorted: Candidates;
  readonly target: string | null;
  /** Of a regional plan only. */
  readonly regional?: { readonly region: string; readonly verdict: LossForecast['verdict'] };
}): string {
  const { view, mapVersion, sorted, target, regional } = about;
  const inSync = view.inSync?.value;
  return canonicalHash({
    cluster: view.name,
    mapVersion,
    term: view.authority?.value.term ?? null,
    leader: view.authority?.value.leader ?? null,
    epoch: view.membership?.value.epoch ?? null,
    inSync:
      inSync === undefined
        ? null
        : {
            term: inSync.term,
            epoch: inSync.epoch,
            required: inSync.required,
            degraded: inSync.degraded,
            voters: inSync.voters.map(({ member, incarnation }) => `${member} ${incarnation}`).toSorted(),
          },
    candidates: sorted.candidates.map(({ member, incarnation }) => `${member} ${incarnation}`).toSorted(),
    target,
    regional,
  });
}
