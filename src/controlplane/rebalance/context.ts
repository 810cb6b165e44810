import { timestampOf } from '../../clock/clock.ts';
import type { MoveGoal, MoveRecord } from '../../domain/move-records.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../estate-snapshot.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, report } from '../operation/run.ts';
import type { Versioned } from '../store.ts';
import type { MoveSides } from './ports.ts';
import { type StreamView, streamView } from './stream-view.ts';

/** How a goal came out for one stream, as far as this process knows more than its record says. */
export interface StreamResult {
  readonly result: 'reached' | 'refused' | 'backed-out' | 'not-tried' | 'differs';
  readonly code: string | null;
  readonly message: string | null;
  readonly next: string | null;
  readonly pauseMs: number | null;
}

/** What one coordinator of a rebalance carries; everything that must survive it is in the journal and in the streams' records. */
export interface RebalanceRun extends OperationRun {
  readonly actor: string;
  /** Opened when rows are to be compared, and not before. */
  readonly sides: () => Promise<MoveSides>;
  /** The operation as this coordinator last read or wrote it: what every transition of a stream compares. */
  readonly operation: { held: HeldOperation };
  /** By stream. */
  readonly results: Map<number, StreamResult>;
  /** By stream: when, by this process's monotonic clock, the cutover was sent that it turns after. */
  readonly pausedSinceMs: Map<number, number>;
}

/** One consistent answer: the estate, and the streams of this operation in it. */
export interface Sight {
  readonly estate: EstateSnapshot;
  readonly streams: ReadonlyMap<number, StreamView>;
}

/** Reads everything, and demands that no other coordinator has taken the operation over (`operation_superseded`). */
export async function readSight(run: RebalanceRun): Promise<Sight> {
  const { held } = run.operation;
  const [estate] = await Promise.all([readEstateSnapshot(run.etcd, run.keys), run.journal.assertHeld(held)]);
  return { estate, streams: streamsOf(run, estate, held.value.id) };
}

export function streamsOf(
  { keys }: Pick<RebalanceRun, 'keys'>,
  estate: EstateSnapshot,
  operation: string,
): ReadonlyMap<number, StreamView> {
  const own = [...estate.moves.values()].filter(({ value }) => value.operation === operation);
  return new Map(own.map((move) => [move.value.stream, streamView(keys, estate, move)]));
}

/** Exactly what was asked for; an operation that has none was not written by this version. */
export function goalOf({ value }: HeldOperation): MoveGoal {
  if (value.goal === undefined) throw new Error(`operation ${value.id} has no goal`);
  return value.goal;
}

/** Tells whoever watches what a stream does or waits for. */
export function tell(
  run: RebalanceRun,
  record: Pick<MoveRecord, 'stream' | 'phase'>,
  about: { readonly state: 'begun' | 'waiting' | 'finished'; readonly detail: string },
): void {
  const { stream, phase } = record;
  report(run, run.operation.held.value, {
    state: about.state,
    detail: `stream ${stream} (${phase}): ${about.detail}`,
    stream: { stream, phase },
  });
}

export const nowIn = ({ clock }: Pick<RebalanceRun, 'clock'>): string => timestampOf(clock);

export type HeldMove = Versioned<MoveRecord>;
