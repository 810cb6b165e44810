import { CapstanError, ExitCode, partialError, refusedError, unknownError } from '../../domain/errors.ts';
import type { MoveGoal, MoveOutcome, MoveRecord } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { RebalanceRun, StreamResult } from './context.ts';

/** How a goal came out for one stream. */
export interface StreamAnswer extends StreamResult {
  readonly stream: number;
  readonly shards: readonly number[];
  readonly phase: MoveRecord['phase'];
  readonly owner: string;
}

/** The first Ctrl-C: what was done stays done, the agents go on, and any coordinator may drive on. */
export function interruptedWhile({ id, phase }: OperationRecord): CapstanError {
  return unknownError(
    `nobody drives rebalance ${id} (${phase}) any more; what the agents have begun they go on with`,
    {
      code: 'operation_interrupted',
      next: `capstan operation resume ${id}`,
      data: { operation: id, left: [phase] },
    },
  );
}

/** How the goal came out for each stream that it means. Pure. */
export function answersOf(
  goal: MoveGoal,
  about: {
    readonly streams: ReadonlyMap<number, MoveRecord>;
    readonly outcomes: readonly MoveOutcome[];
    readonly results: RebalanceRun['results'];
  },
): readonly StreamAnswer[] {
  const { streams, outcomes, results } = about;
  return goal.streams.map((stream) => {
    const record = streams.get(stream);
    const outcome = outcomes.find((ended) => ended.stream === stream);
    const known = results.get(stream);
    const moves = goal.kind === 'cutover' || goal.kind === 'reverse';
    return {
      stream,
      shards: record?.shards ?? outcome?.shards ?? [],
      phase: record?.phase ?? 'done',
      owner: record?.owner ?? outcome?.owner ?? '',
      result: known?.result ?? 'reached',
      code: known?.code ?? null,
      message: known?.message ?? null,
      next: known?.next ?? null,
      pauseMs: known?.pauseMs ?? (moves ? (record?.handover?.pauseMs ?? null) : null),
    };
  });
}

/**
 * What a goal that wasn't reached for every stream is thrown as; undefined: it was. Some moved and some didn't:
 * `rebalance_partial` (exit 6). Rows that differ: `move_differs` (exit 3). Else what stands against the first (exit 4).
 */
export function failureOf(
  { id }: Pick<OperationRecord, 'id'>,
  goal: MoveGoal,
  answers: readonly StreamAnswer[],
): CapstanError | undefined {
  const failed = answers.filter(({ result }) => result !== 'reached');
  const first = failed.find(({ result }) => result === 'backed-out') ?? failed[0];
  if (first === undefined) return undefined;
  const { code, message, next } = first;
  const details = {
    code: code ?? 'operation_stopped',
    next: next ?? `capstan rebalance status ${id}`,
    data: { operation: id, goal: goal.kind, streams: answers },
  };
  const why = message ?? `stream ${first.stream} did not reach ${goal.kind}`;
  if (failed.length < answers.length) {
    const ones = failed.map(({ stream }) => stream).join(', ');
    return partialError(
      `${goal.kind}: ${answers.length - failed.length} of ${answers.length} streams are done, not ${ones}: ${why}`,
      { ...details, code: 'rebalance_partial' },
    );
  }
  if (goal.kind === 'copy' || goal.kind === 'verify')
    return new CapstanError(why, {
      ...details,
      exit: failed.some(differs) ? ExitCode.notReady : ExitCode.refused,
    });
  const waited = first.pauseMs === null ? '' : `; callers waited ${first.pauseMs} ms`;
  return refusedError(`${why}${waited}`, { ...details, retryable: first.result === 'backed-out' });
}

const differs = ({ result }: StreamAnswer): boolean => result === 'differs';
