import type { Clock } from '../../../clock/clock.ts';
import { timestampOf } from '../../../clock/clock.ts';
import { systemClock } from '../../../clock/system-clock.ts';
import { messageOf, unknownError, unreachableError } from '../../../domain/errors.ts';
import { sqlStateOf } from '../../../postgres/connection.ts';
import type { EtcdReader } from '../../../etcd/port.ts';
import type { Keys } from '../../keys.ts';
import type { MoveSides } from '../ports.ts';
import { compareChanged } from './compare-changed.ts';
import { compareStream } from './compare-stream.ts';
import { LeaderSides, type LeaderSidesOptions } from './leader-sides.ts';

const DIFFERENCES_MAX = 100;

export interface PostgresSidesOptions {
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly connect: LeaderSidesOptions['connect'];
  readonly clock?: Clock;
}

/**
 * The two Postgres of a stream as a coordinator asks them. A full comparison has connections of its own, so that bringing
 * another stream up to date, which may be under a seal, never waits behind it.
 */
export function postgresSides({ clock = systemClock, ...options }: PostgresSidesOptions): MoveSides {
  const quick = new Map<string, LeaderSides>();
  const running = new Set<LeaderSides>();
  const sidesOf = (name: string): LeaderSides => {
    const held = quick.get(name) ?? new LeaderSides({ ...options, clock });
    quick.set(name, held);
    return held;
  };
  return {
    verify: async ({ record, signal, onProgress }) => {
      const leaders = new LeaderSides({ ...options, clock });
      running.add(leaders);
      try {
        return await compareStream({
          sides: await leaders.of(record),
          shards: record.shards,
          cursor: record.cursor,
          onProgress,
          clock,
          signal,
          rest: leaders.restOf(record, signal),
          differencesMax: DIFFERENCES_MAX,
        });
      } catch (error) {
        throw brokenOff(error);
      } finally {
        running.delete(leaders);
        leaders.drop();
      }
    },
    verifySince: async ({ record, since, sealed, deadlineMs, signal }) => {
      const leaders = sidesOf(`${record.operation}/${record.stream}`);
      const compared = async () =>
        compareChanged({
          sides: await leaders.of(record),
          shards: record.shards,
          since: since.positions,
          sealed,
          differencesMax: DIFFERENCES_MAX,
          clock,
          signal,
        });
      try {
        const { positions, rows, later, differences } = await within(compared(), deadlineMs, clock);
        const verification = {
          positions,
          rows: String(BigInt(since.rows) + BigInt(rows)),
          laterRows: String(later),
          at: timestampOf(clock),
        };
        return { verification, differences };
      } catch (error) {
        // A statement may still be running, in a snapshot that nobody wants any more.
        leaders.drop();
        throw brokenOff(error);
      }
    },
    close: async () => {
      for (const leaders of [...quick.values(), ...running]) leaders.drop();
      quick.clear();
    },
  };
}

/** A leader that dies while it is read is no fault of the rows, and no riddle: the error that crosses an operation's boundary. */
function brokenOff(error: unknown): unknown {
  const state = sqlStateOf(error);
  const isBroken =
    state === undefined
      ? error instanceof Error && ('syscall' in error || error.message.startsWith('Connection terminated'))
      : state.startsWith('57P');
  if (!isBroken) return error;
  return unreachableError(`a leader broke off while its rows were compared: ${messageOf(error)}`, {
    code: 'postgres_unreachable',
    next: 'compare again: capstan rebalance verify',
    data: { sqlState: state ?? null },
    cause: error,
  });
}

function within<T>(work: Promise<T>, deadlineMs: number, clock: Clock): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(Math.max(0, deadlineMs), () =>
    reject(
      unknownError(`the rows were not compared within ${deadlineMs} ms`, {
        code: 'move_compare_late',
        retryable: true,
        next: 'compare again: capstan rebalance verify',
        data: { deadlineMs },
      }),
    ),
  );
  // It is dropped when it loses; what it still throws is nobody's.
  work.catch(() => undefined);
  return Promise.race([work, promise]).finally(cancel);
}
