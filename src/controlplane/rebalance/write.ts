import { refusedError } from '../../domain/errors.ts';
import type { MoveRecord } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { commitUntilKnown } from '../operation/commit-until-known.ts';
import { readRecord, revisionOf, Transaction } from '../store.ts';
import { type HeldMove, nowIn, type RebalanceRun } from './context.ts';
import { type MoveEvent, type MovePatch, nextMove } from './transitions.ts';

export interface MoveChange {
  readonly operation: string;
  readonly stream: number;
  /** What the change replaces; undefined: the stream must not exist. */
  readonly held: HeldMove | undefined;
  /** Puts the stream's next record, with whatever belongs to it, and answers it. */
  readonly build: (transaction: Transaction) => MoveRecord;
}

/**
 * Changes a stream in one transaction that compares the operation and the stream. Undefined: something that it compares has
 * changed, and nothing was written. When a reply is lost the same transaction is sent again until it is known whether the
 * record carries this very text. Throws `operation_superseded` (exit 4), `etcd_unreachable` (nothing was written),
 * `etcd_outcome_unknown` (exit 5).
 */
export async function writeMove(run: RebalanceRun, change: MoveChange): Promise<HeldMove | undefined> {
  const { etcd, keys, clock, operation } = run;
  const key = keys.move(change.operation, change.stream);
  const transaction = new Transaction(etcd)
    .expect(keys.operation(change.operation), operation.held.revision)
    .expect(key, revisionOf(change.held));
  const next = change.build(transaction);
  return commitUntilKnown<HeldMove | undefined>({
    transaction,
    clock,
    written: (revision) => ({ value: next, revision }),
    afterFailedCompare: () => afterFailedCompare(run, change, next),
    unknown: {
      message: `it is unknown whether stream ${change.stream} of ${change.operation} entered phase ${next.phase}`,
      next: `capstan rebalance status ${change.operation}`,
      data: { operation: change.operation, stream: change.stream, phase: next.phase },
    },
  });
}

async function afterFailedCompare(
  run: RebalanceRun,
  change: MoveChange,
  next: MoveRecord,
): Promise<HeldMove | undefined> {
  const { etcd, keys } = run;
  const [found, operation] = await Promise.all([
    readRecord<MoveRecord>(etcd, keys.move(change.operation, change.stream)),
    readRecord<OperationRecord>(etcd, keys.operation(change.operation)),
  ]);
  // An earlier try, whose reply was lost, has made the compare false by its own success.
  if (found !== undefined && JSON.stringify(found.value) === JSON.stringify(next)) return found;
  const mine = run.operation.held.value.coordinator.id;
  const driver = operation?.value.coordinator.id;
  if (driver === mine) return undefined;
  throw refusedError(`operation ${change.operation} is now driven by coordinator ${driver ?? 'unknown'}`, {
    code: 'operation_superseded',
    next: `capstan operation show ${change.operation}`,
    data: { operation: change.operation, coordinator: driver ?? null },
  });
}

/** Moves a stream by one event that touches nothing beside it. */
export async function moveOn(
  run: RebalanceRun,
  held: HeldMove,
  event: MoveEvent,
  patch: MovePatch = {},
): Promise<HeldMove | undefined> {
  const { operation, stream } = held.value;
  const next = nextMove(held.value, event, nowIn(run), patch);
  return writeMove(run, {
    operation,
    stream,
    held,
    build: (transaction) => {
      transaction.put(run.keys.move(operation, stream), next);
      return next;
    },
  });
}

const NOTE_TRIES = 5;

/**
 * Notes something about the leg that `about` was read in. Undefined: the stream went on to something of which it says
 * nothing, or it keeps changing.
 */
export async function note(
  run: RebalanceRun,
  about: Pick<MoveRecord, 'operation' | 'stream' | 'attempt' | 'leg'>,
  patch: (record: MoveRecord) => MovePatch | undefined,
): Promise<HeldMove | undefined> {
  const key = run.keys.move(about.operation, about.stream);
  for (let attempt = 0; attempt < NOTE_TRIES; attempt += 1) {
    const held = await readRecord<MoveRecord>(run.etcd, key);
    if (held === undefined || held.value.attempt !== about.attempt || held.value.leg !== about.leg)
      return undefined;
    const { phase } = held.value;
    const change = phase === 'seal' || phase === 'done' ? undefined : patch(held.value);
    if (change === undefined) return undefined;
    const noted = await moveOn(run, held, 'noted', change);
    if (noted !== undefined) return noted;
  }
  return undefined;
}
