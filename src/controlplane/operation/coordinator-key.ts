import { timestampOf } from '../../clock/clock.ts';
import type { CoordinatorRecord } from '../../domain/operation-records.ts';
import type { LivenessLease } from '../../etcd/port.ts';
import type { HeldOperation } from './journal.ts';
import type { OperationRun } from './run.ts';

const RETRY_MS = 500;

/**
 * Drives with a sign of life in etcd beside it: agents adopt an operation that nobody drives. It is liveness and no
 * authority: an etcd that doesn't take it holds nothing up.
 */
export async function withSignOfLife<T>(
  run: OperationRun,
  held: HeldOperation,
  drive: () => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const alive = keepAlive(run, held, ending.signal);
  try {
    return await drive();
  } finally {
    ending.abort();
    await alive;
  }
}

async function keepAlive(run: OperationRun, held: HeldOperation, ending: AbortSignal): Promise<void> {
  while (!ending.aborted) {
    let lease: LivenessLease | undefined;
    try {
      lease = await run.etcd.grantLiveness(run.contract.liveness.heartbeatTtlMs);
      await announce(run, held, lease.id);
      await Promise.race([lease.lost, aborted(ending)]);
    } catch {
      // Tried again: whoever can't say so still drives.
    }
    // Revoked, so that nobody waits for a coordinator that has ended. One that can't be ends by itself.
    await lease?.close().catch(() => undefined);
    await run.clock.sleep(RETRY_MS, ending);
  }
}

async function announce(
  { etcd, keys, clock }: OperationRun,
  held: HeldOperation,
  leaseId: string,
): Promise<void> {
  const { id, cluster, coordinator } = held.value;
  const record: CoordinatorRecord = {
    operation: id,
    coordinator: coordinator.id,
    since: timestampOf(clock),
  };
  const key = keys.coordinator(cluster, coordinator.id);
  // It carries its own lease: once more, or late, it says the same and ends with it.
  await etcd.transact([], [{ kind: 'put', key, value: JSON.stringify(record), leaseId }], {
    repeatable: true,
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
