import type { Clock } from '../../clock/clock.ts';
import { CapstanError, unknownError } from '../../domain/errors.ts';
import type { Transaction } from '../store.ts';

/** A lost reply is followed by this many further tries before the outcome is reported as unknown. */
const RESOLVE_TRIES = 8;
const RESOLVE_PAUSE_MS = 250;

/**
 * Commits a transaction whose text is unique and that compares what it replaces. When its reply is lost nothing else happens
 * before it is known what became of it: the same transaction is sent again, so that a late first try can't have a second effect.
 * `afterFailedCompare` finds out who was first; `inDoubt`: a try's reply was lost before. Throws `etcd_unreachable` when
 * there was no effect, and `etcd_outcome_unknown` with `unknown` when that can't be found out in time.
 */
export async function commitUntilKnown<T>(about: {
  readonly transaction: Transaction;
  readonly clock: Clock;
  readonly written: (revision: string) => T;
  readonly afterFailedCompare: (inDoubt: boolean) => Promise<T>;
  readonly unknown: {
    readonly message: string;
    readonly next: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}): Promise<T> {
  const { transaction, clock, written, afterFailedCompare, unknown } = about;
  let lost: CapstanError | undefined;
  for (let attempt = 0; attempt <= RESOLVE_TRIES; attempt += 1) {
    if (attempt > 0) await clock.sleep(RESOLVE_PAUSE_MS);
    try {
      const revision = await transaction.commitAt();
      return revision === undefined ? await afterFailedCompare(lost !== undefined) : written(revision);
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      // Unreachable proves that this try had no effect, which says nothing about a lost one before it.
      if (lost === undefined && error.code === 'etcd_unreachable') throw error;
      lost = error;
    }
  }
  const { message, next, data } = unknown;
  throw unknownError(`${message}: ${lost?.message ?? ''}`, {
    code: 'etcd_outcome_unknown',
    next,
    data,
    cause: lost,
  });
}

const isUnanswered = (error: unknown): error is CapstanError =>
  error instanceof CapstanError &&
  (error.code === 'etcd_outcome_unknown' || error.code === 'etcd_unreachable');
