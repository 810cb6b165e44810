import type { EstateView } from '../controlplane/estate-watch.ts';
import { openLossesOf } from '../controlplane/loss/naming.ts';
import type { MemberContext } from './context.ts';
import type { EstateFacts } from './action.ts';

/** What the decision needs of the whole view; undefined before there is an estate. */
export function estateFacts(
  estate: EstateView,
  { cluster, member }: Pick<MemberContext, 'cluster' | 'member'>,
): EstateFacts | undefined {
  const view = estate.clusters.get(cluster);
  if (estate.estate === undefined || estate.map === undefined) return undefined;
  return {
    incarnation: estate.estate.value.incarnation,
    mapVersion: estate.map.value.version,
    record: view?.record?.value,
    authority: view?.authority?.value,
    membership: view?.membership?.value,
    members: Object.fromEntries([...(view?.members ?? [])].map(([name, { value }]) => [name, value])),
    frozen: view?.frozen.get(member)?.value,
    stopped: view?.stopped.get(member)?.value,
    promotion: view?.promotion?.value,
    leaseTerm: view?.lease?.value.term ?? null,
    handover: view?.handoverRequest?.value,
    handedOver: view?.handoverReport?.value,
    rejoin: view?.rejoins.get(member)?.value,
    salvaged: view?.salvaged.get(member)?.value,
    openLosses: view === undefined ? [] : openLossesOf(view, member),
  };
}
