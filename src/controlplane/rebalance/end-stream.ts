import { nowOf } from '../../clock/clock.ts';
import type { MoveOutcome } from '../../domain/move-records.ts';
import { auditIn } from '../audit.ts';
import { readRecord, revisionOf } from '../store.ts';
import { nowIn, type RebalanceRun, type Sight, tell } from './context.ts';
import type { StreamView } from './stream-view.ts';
import { nextMove } from './transitions.ts';
import { entriesOf } from './unseal.ts';

/**
 * The last transition of a stream: its record, its reports and the keys that keep its shards for this operation are deleted
 * by the transaction that puts what came of it into the journal.
 */
export async function endStream(run: RebalanceRun, view: StreamView, { estate }: Sight): Promise<void> {
  const { keys, clock, actor } = run;
  const { value: record } = view.move;
  const { operation, stream, shards, from, to, owner, handover } = record;
  // An agent may have written its last report since; whatever it says is of a stream that is gone.
  const reports = await Promise.all(
    [from, to].map(async (cluster) => {
      const key = keys.moveReport(operation, stream, cluster);
      return { key, revision: revisionOf(await readRecord(run.etcd, key)) };
    }),
  );
  const at = nowIn(run);
  const outcome: MoveOutcome = {
    stream,
    outcome: owner === from ? 'kept' : 'moved',
    from,
    to,
    owner,
    shards,
    generations: Object.fromEntries(
      entriesOf(estate, shards).map(({ value }) => [value.shard, value.generation]),
    ),
    positions: handover?.positions ?? null,
    pauseMs: handover?.pauseMs ?? null,
    at,
  };
  const { held } = run.operation;
  const written = await run.journal.update({
    held,
    next: {
      ...held.value,
      outcomes: [...(held.value.outcomes ?? []), outcome],
      updatedAt: nowOf(clock).toISOString(),
    },
    with: (transaction) => {
      const done = record.phase === 'done' ? record : nextMove(record, 'cleaned', at);
      transaction
        .expect(keys.move(operation, stream), view.move.revision)
        .delete(keys.move(operation, stream));
      for (const { key, revision } of reports) transaction.expect(key, revision).delete(key);
      for (const shard of shards) transaction.delete(keys.moving(shard));
      const entry = {
        actor,
        action: 'rebalance.stream-end',
        target: `${operation}/${stream}`,
        operation,
        planHash: held.value.planHash,
        before: { phase: record.phase, owner },
        after: { phase: done.phase, ...outcome },
      };
      auditIn(transaction, keys, entry, clock);
    },
  });
  if (written.kind !== 'written') return;
  run.operation.held = written.held;
  tell(
    run,
    { stream, phase: 'done' },
    { state: 'finished', detail: `${outcome.outcome}: ${owner} owns them` },
  );
}
