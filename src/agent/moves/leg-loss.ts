import type { EstateView } from '../../controlplane/estate-watch.ts';
import type { MoveRecord } from '../../domain/move-records.ts';

/** The terms of both clusters now; undefined while one of them isn't known. */
export function termsNow(estate: EstateView, { from, to }: MoveRecord): Record<string, number> | undefined {
  const terms = [from, to].map((name) => [name, estate.clusters.get(name)?.authority?.value.term] as const);
  return terms.some(([, term]) => term === undefined)
    ? undefined
    : (Object.fromEntries(terms) as Record<string, number>);
}

/** Why a leg can't be gone on with, as far as etcd says; undefined: it stands. Pure. */
export function termChange(record: MoveRecord, now: Readonly<Record<string, number>>): string | undefined {
  const { terms } = record;
  if (terms === null) return undefined;
  const changed = Object.entries(now).find(([cluster, term]) => terms[cluster] !== term);
  return changed === undefined
    ? undefined
    : `cluster ${changed[0]} is under term ${changed[1]}; the leg was made under term ${terms[changed[0]] ?? 'none'}`;
}
