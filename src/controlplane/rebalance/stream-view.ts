import type { MoveRecord, MoveReport, OtherMoveReport, OwnerMoveReport } from '../../domain/move-records.ts';
import { otherOf } from '../../domain/move-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { EstateView } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import type { Versioned } from '../store.ts';

export type OwnerSays = Versioned<MoveReport & OwnerMoveReport>;
export type OtherSays = Versioned<MoveReport & OtherMoveReport>;

/** A stream with what both clusters are and say, from one consistent answer. */
export interface StreamView {
  readonly move: Versioned<MoveRecord>;
  readonly owner: ClusterView | undefined;
  readonly other: ClusterView | undefined;
  /** Only what the present leader says of the present attempt and leg: anything else is about something that is gone. */
  readonly ownerSays: OwnerSays | undefined;
  readonly otherSays: OtherSays | undefined;
}

export function streamView(keys: Keys, estate: EstateView, move: Versioned<MoveRecord>): StreamView {
  const { operation, stream, owner } = move.value;
  const other = otherOf(move.value);
  const said = (cluster: string) => {
    const report = estate.moveReports.get(keys.moveReport(operation, stream, cluster));
    return report !== undefined && isOf(report.value, move.value, estate.clusters.get(cluster))
      ? report
      : undefined;
  };
  const [ownerSays, otherSays] = [said(owner), said(other)];
  return {
    move,
    owner: estate.clusters.get(owner),
    other: estate.clusters.get(other),
    ownerSays: ownerSays?.value.role === 'owner' ? (ownerSays as OwnerSays) : undefined,
    otherSays: otherSays?.value.role === 'other' ? (otherSays as OtherSays) : undefined,
  };
}

const isOf = (report: MoveReport, record: MoveRecord, cluster: ClusterView | undefined): boolean =>
  report.term === cluster?.authority?.value.term &&
  report.attempt === record.attempt &&
  report.leg === record.leg;

/** The terms that both clusters have now; undefined: one of them has none. */
export function termsOf({
  owner,
  other,
}: Pick<StreamView, 'owner' | 'other'>): Readonly<Record<string, number>> | undefined {
  const [a, b] = [owner?.authority?.value.term, other?.authority?.value.term];
  return owner === undefined || other === undefined || a === undefined || b === undefined
    ? undefined
    : { [owner.name]: a, [other.name]: b };
}

/** Why the leg that carries the stream is worth nothing any more; undefined: it may be whole. */
export function legLost(view: StreamView): string | undefined {
  const { terms } = view.move.value;
  if (terms === null) return undefined;
  for (const cluster of [view.owner, view.other]) {
    const term = cluster?.authority?.value.term;
    const made = cluster === undefined ? undefined : terms[cluster.name];
    if (cluster !== undefined && term !== undefined && term !== made)
      return `cluster ${cluster.name} is under term ${term}; the leg was made under ${made ?? 'none'}`;
  }
  return view.ownerSays?.value.slot === 'lost'
    ? `the slot on ${view.move.value.owner} is gone or was invalidated`
    : undefined;
}
