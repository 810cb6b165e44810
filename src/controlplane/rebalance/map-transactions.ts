import { type MoveRecord, otherOf, type Positions } from '../../domain/move-records.ts';
import { changeMapIn } from '../change-map.ts';
import { revisionOf, type Transaction } from '../store.ts';
import { nowIn, type RebalanceRun, type Sight } from './context.ts';
import type { OtherSays, OwnerSays, StreamView } from './stream-view.ts';
import { nextMove } from './transitions.ts';
import { entriesOf } from './unseal.ts';

/** The cutover: nobody decides for the stream's shards from here on. Compares map, entries, authorities and memberships. */
export function sealIn(
  transaction: Transaction,
  run: RebalanceRun,
  about: { readonly view: StreamView; readonly sight: Sight; readonly id: string; readonly budgetMs: number },
): MoveRecord {
  const { keys, clock, actor } = run;
  const { view, sight, id, budgetMs } = about;
  const { operation, stream, shards, owner } = view.move.value;
  const at = nowIn(run);
  const next = nextMove(view.move.value, 'cutover', at, { seal: { id, at, budgetMs }, error: null });
  transaction.put(keys.move(operation, stream), next);
  expectClusters(transaction, run, view);
  const moves = entriesOf(sight.estate, shards).map((entry) => ({
    entry,
    cluster: owner,
    state: 'sealed' as const,
  }));
  const { map } = sight.estate;
  changeMapIn(
    transaction,
    { keys, map, moves, actor, reason: `cutover of stream ${stream}`, operation },
    clock,
  );
  return next;
}

/** The flip: the point of no return. Compares all that it rests on, the two reports with it. */
export function flipIn(
  transaction: Transaction,
  run: RebalanceRun,
  about: {
    readonly view: StreamView;
    readonly sight: Sight;
    readonly held: {
      readonly positions: Positions;
      readonly lsn: string;
      readonly owner: OwnerSays;
      readonly other: OtherSays;
    };
  },
): MoveRecord {
  const { keys, clock, actor } = run;
  const { view, sight, held } = about;
  const { value: record } = view.move;
  const { operation, stream, shards, owner } = record;
  const other = otherOf(record);
  const at = nowIn(run);
  const next = nextMove(record, 'flip', at, {
    owner: other,
    handover: { positions: held.positions, lsn: held.lsn, pauseMs: null, at },
    error: null,
  });
  transaction
    .put(keys.move(operation, stream), next)
    .expect(keys.moveReport(operation, stream, owner), held.owner.revision)
    .expect(keys.moveReport(operation, stream, other), held.other.revision);
  expectClusters(transaction, run, view);
  const moves = entriesOf(sight.estate, shards).map((entry) => {
    const handover = held.positions[entry.value.shard];
    if (handover === undefined) throw new Error(`shard ${entry.value.shard} was sealed at no position`);
    return { entry, cluster: other, state: 'serving' as const, handover };
  });
  const { map } = sight.estate;
  const reason = `handed over to ${other}`;
  changeMapIn(transaction, { keys, map, moves, actor, reason, operation }, clock);
  return next;
}

function expectClusters(transaction: Transaction, { keys }: RebalanceRun, view: StreamView): void {
  for (const cluster of [view.owner, view.other]) {
    if (cluster === undefined) throw new Error('a stream whose cluster is gone was not refused');
    transaction
      .expect(keys.authority(cluster.name), revisionOf(cluster.authority))
      .expect(keys.membership(cluster.name), revisionOf(cluster.membership));
  }
}
