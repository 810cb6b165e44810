import type { ClusterView } from '../cluster-view.ts';

/** The failovers that may have lost decisions of which this member holds some, and that nobody has signed off. */
export const openLossesOf = (view: ClusterView, member: string): readonly string[] =>
  [...view.losses.values()]
    .filter(({ value }) => value.status === 'open' && value.members[member] !== undefined)
    .map(({ value }) => value.operation);
