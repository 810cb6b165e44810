import { systemClock } from '../../clock/system-clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { OperationResult } from '../operation/run.ts';
import { type ControlOptions, takeOver } from '../operation/take-over.ts';
import { readRebalance } from './ask.ts';
import { driveGoal } from './drive.ts';
import { driveRebalance } from './drive-rebalance.ts';
import { REBALANCE } from './phases.ts';
import type { MoveSides } from './ports.ts';
import { rebalanceRun } from './run-context.ts';

/** What compares rows; without it nothing that has to be verified can be driven. */
export interface SidesOptions {
  readonly sides?: (() => Promise<MoveSides>) | undefined;
}

/**
 * Takes a rebalance over and goes on with the goal that its journal holds. One that stands is copied on where a stream was lost
 * meanwhile; one that has ended is answered as it is.
 */
export async function resumeRebalance(options: ControlOptions & SidesOptions): Promise<OperationResult> {
  const { clock = systemClock } = options;
  const found = await readRebalance(options);
  const phase = REBALANCE.phaseOf(found.value);
  if (REBALANCE.isFinal(phase)) return { changed: false, operation: found.value };
  const control = { ...options, sides: sidesOf(options) };
  if (phase === 'standing') return driveRebalance({ ...control, goal: 'copy' });
  const { run, held } = await takeOver(options, () => REBALANCE);
  const { contract, journal } = run;
  return driveGoal(rebalanceRun({ control, clock, contract, journal, held }));
}

/** Gives a rebalance up as `cancel` does: every stream is cleaned, and `from` keeps its shards. */
export async function abortRebalance(
  options: ControlOptions & SidesOptions & { readonly reason?: string | undefined },
): Promise<OperationResult> {
  return driveRebalance({ ...options, goal: 'cancel', sides: sidesOf(options) });
}

/** An agent never does: whether callers are to wait for a cutover is a person's choice, and nothing else is urgent. */
export async function adoptRebalance({ id }: Pick<ControlOptions, 'id'>): Promise<never> {
  throw refusedError(`operation ${id} is a rebalance: its agents keep it up, and a person drives it`, {
    code: 'operation_not_adoptable',
    next: `capstan operation resume ${id}`,
    data: { operation: id },
  });
}

const sidesOf = ({ id, sides }: Pick<ControlOptions, 'id'> & SidesOptions): (() => Promise<MoveSides>) =>
  sides ??
  (() => {
    throw refusedError('rows can only be compared by a command that reaches both clusters', {
      code: 'move_sides_missing',
      next: `capstan rebalance verify ${id}`,
    });
  });
