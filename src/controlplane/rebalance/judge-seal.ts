import { otherOf, type Positions } from '../../domain/move-records.ts';
import { problemIn } from './gates.ts';
import { legLost, type OtherSays, type OwnerSays, type StreamView } from './stream-view.ts';

export type SealJudgement =
  | {
      readonly kind: 'held';
      readonly positions: Positions;
      readonly lsn: string;
      readonly owner: OwnerSays;
      readonly other: OtherSays;
    }
  | { readonly kind: 'waiting'; readonly for: string }
  /** It can't be handed over: waiting longer is of no use. */
  | { readonly kind: 'differs'; readonly why: string };

/** Whether the other one holds exactly what the owner was sealed at (M2), under the terms that the leg was made under (M5). Pure. */
export function judgeSeal(view: StreamView, seal: string): SealJudgement {
  const { value: record } = view.move;
  const lost = legLost(view);
  if (lost !== undefined) return { kind: 'differs', why: lost };
  for (const cluster of [view.owner, view.other])
    if (cluster?.authority?.value.phase !== 'open')
      return {
        kind: 'differs',
        why: `cluster ${cluster?.name ?? ''} is in phase ${cluster?.authority?.value.phase ?? 'unknown'}`,
      };
  const { ownerSays: owner, otherSays: other } = view;
  const sealed = owner?.value.sealed;
  if (owner === undefined || sealed?.seal !== seal)
    return {
      kind: 'waiting',
      for: `${record.owner} to seal the shards${problemIn(owner?.value.problem ?? null)}`,
    };
  const arrived = other?.value.arrived;
  if (other === undefined || arrived?.seal !== seal)
    return {
      kind: 'waiting',
      for: `${otherOf(record)} and its followers to hold the sealed positions${problemIn(other?.value.problem ?? null)}`,
    };
  const why = differenceOf(record.shards, sealed.positions, arrived.positions);
  return why === undefined
    ? { kind: 'held', positions: sealed.positions, lsn: arrived.lsn, owner, other }
    : { kind: 'differs', why };
}

/** Exactly the stream's shards, each at the same position on both sides. */
export function differenceOf(
  shards: readonly number[],
  sealed: Positions,
  arrived: Positions,
): string | undefined {
  const wanted = new Set(shards.map(String));
  for (const positions of [sealed, arrived]) {
    const strange = Object.keys(positions).find((shard) => !wanted.has(shard));
    if (strange !== undefined) return `shard ${strange} is none of the stream's`;
  }
  const apart = shards.find((shard) => sealed[shard] === undefined || sealed[shard] !== arrived[shard]);
  return apart === undefined
    ? undefined
    : `shard ${apart} was sealed at ${sealed[apart] ?? 'no position'}, and ${arrived[apart] ?? 'no position'} arrived`;
}
