import type { Clock } from '../../clock/clock.ts';
import { timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { MovePhase, MoveRecord } from '../../domain/move-records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import type { Keys } from '../keys.ts';
import { concurrentChange, readRecord, Transaction } from '../store.ts';
import { readRebalance } from './ask.ts';
import { chosenStreams } from './choose.ts';
import { planOf } from './phases.ts';
import { nextMove } from './transitions.ts';

const TRIES = 10;
/** Where something is applied that could be stopped. */
const PAUSABLE: ReadonlySet<MovePhase> = new Set(['queued', 'copy', 'follow']);

export interface PauseStreamsOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly id: string;
  readonly actor: string;
  /** False: goes on. */
  readonly paused: boolean;
  readonly shards?: readonly number[] | undefined;
  readonly reason?: string | undefined;
  readonly clock?: Clock | undefined;
}

export interface PausedStreams {
  readonly changed: boolean;
  /** Those that were changed. */
  readonly streams: readonly number[];
}

/**
 * Stops what is applied for streams, or lets it go on, and leaves the operation to whoever drives it: what the owner writes
 * meanwhile is kept in its WAL. Throws `move_not_pausable` (exit 4) where one is being handed over or ended, and what `chosenStreams` throws.
 */
export async function pauseRebalance(options: PauseStreamsOptions): Promise<PausedStreams> {
  const { id, shards } = options;
  const { value } = await readRebalance(options);
  const chosen = chosenStreams({ id, plan: planOf(value), outcomes: value.outcomes ?? [], shards });
  const streams: number[] = [];
  for (const stream of chosen) if (await pauseOne(options, stream)) streams.push(stream);
  return { changed: streams.length > 0, streams };
}

async function pauseOne(options: PauseStreamsOptions, stream: number): Promise<boolean> {
  const { etcd, keys, id, paused, actor, reason = null, clock = systemClock } = options;
  const key = keys.move(id, stream);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const held = await readRecord<MoveRecord>(etcd, key);
    if (held === undefined || held.value.paused === paused) return false;
    if (paused && !PAUSABLE.has(held.value.phase)) throw notPausable(held.value);
    if (held.value.phase === 'seal') continue;
    const transaction = new Transaction(etcd)
      .expect(key, held.revision)
      .put(key, nextMove(held.value, 'noted', timestampOf(clock), { paused }));
    const entry = {
      actor,
      action: paused ? 'rebalance.pause' : 'rebalance.unpause',
      target: `${id}/${stream}`,
      operation: id,
      before: { paused: !paused },
      after: { paused },
      reason,
    };
    auditIn(transaction, keys, entry, clock);
    if (await transaction.commit()) return true;
  }
  throw concurrentChange(`stream ${stream} of ${id}`);
}

const notPausable = ({ operation, stream, phase }: MoveRecord) =>
  refusedError(`stream ${stream} is in phase ${phase}: there is nothing that could be paused`, {
    code: 'move_not_pausable',
    next: `capstan rebalance status ${operation}`,
    data: { operation, stream, phase },
  });
