import { refusedError } from '../../domain/errors.ts';
import type { MoveRecord } from '../../domain/move-records.ts';
import { readRecord } from '../store.ts';
import { goalOf, nowIn, readSight, type RebalanceRun, type Sight, tell } from './context.ts';
import { planOf } from './phases.ts';
import type { PlannedStream } from './plan-types.ts';
import { writeMove } from './write.ts';
import { entriesOf } from './unseal.ts';

const TRIES = 5;

/**
 * Creates each planned stream that isn't there and hasn't ended, with the keys that keep its shards for this operation. Only
 * while it is to be copied: of an operation that is given up nothing more is begun. Throws `shard_moving`, `plan_drifted` (exit 4).
 */
export async function registerStreams(run: RebalanceRun): Promise<void> {
  if (goalOf(run.operation.held).kind !== 'copy') return;
  const ended = new Set(run.operation.held.value.outcomes?.map(({ stream }) => stream));
  for (const planned of planOf(run.operation.held.value).streams) {
    if (ended.has(planned.stream)) continue;
    await register(run, planned);
  }
}

async function register(run: RebalanceRun, planned: PlannedStream): Promise<void> {
  const { keys } = run;
  const operation = run.operation.held.value.id;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const sight = await readSight(run);
    if (sight.streams.has(planned.stream)) return;
    await refuseTaken(run, planned, sight);
    const record = queued(operation, planned, nowIn(run));
    const written = await writeMove(run, {
      operation,
      stream: planned.stream,
      held: undefined,
      build: (transaction) => {
        transaction.put(keys.move(operation, planned.stream), record);
        for (const { value, revision } of entriesOf(sight.estate, planned.shards))
          transaction
            .expect(keys.shard(value.shard), revision)
            .expect(keys.moving(value.shard), '0')
            .put(keys.moving(value.shard), operation);
        return record;
      },
    });
    if (written === undefined) continue;
    tell(run, record, {
      state: 'begun',
      detail: `${planned.shards.length} shards of ${planned.from} to ${planned.to}`,
    });
    return;
  }
  throw drifted(operation, planned, 'the map kept changing');
}

async function refuseTaken(run: RebalanceRun, planned: PlannedStream, { estate }: Sight): Promise<void> {
  const operation = run.operation.held.value.id;
  for (const { value } of entriesOf(estate, planned.shards)) {
    if (value.cluster !== planned.from)
      throw drifted(operation, planned, `shard ${value.shard} is owned by ${value.cluster} by now`);
    const by = await readRecord<string>(run.etcd, run.keys.moving(value.shard));
    if (by !== undefined) throw shardMoving(value.shard, by.value, `capstan operation abort ${operation}`);
  }
}

export const shardMoving = (shard: number, by: string, next: string) =>
  refusedError(`shard ${shard} is being moved by operation ${by}`, {
    code: 'shard_moving',
    next: `capstan rebalance status ${by}; ${next}`,
    data: { shard, operation: by },
  });

const drifted = (operation: string, { stream }: PlannedStream, why: string) =>
  refusedError(`stream ${stream} can't be begun as planned: ${why}`, {
    code: 'plan_drifted',
    next: `capstan operation abort ${operation}; then plan again`,
    data: { operation, stream },
  });

const queued = (operation: string, planned: PlannedStream, at: string): MoveRecord => ({
  operation,
  stream: planned.stream,
  shards: planned.shards,
  from: planned.from,
  to: planned.to,
  owner: planned.from,
  phase: 'queued',
  attempt: 0,
  leg: 0,
  terms: null,
  paused: false,
  cursor: null,
  verification: null,
  differences: [],
  seal: null,
  handover: null,
  error: null,
  since: at,
  updatedAt: at,
});
