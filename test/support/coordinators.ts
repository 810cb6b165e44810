/** What came of a coordinator that was disturbed. */
import { expect } from 'vitest';
import type { Keys } from '../../src/controlplane/keys.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';

/** What it threw; undefined: it came to its end. */
export const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (reason: unknown) => reason,
  );

export const codeOf = (error: unknown): string =>
  error instanceof CapstanError ? error.code : String(error);

/** The one operation of an estate, or none: no disturbance makes a second. */
export async function onlyOperation(etcd: EtcdPort, keys: Keys): Promise<OperationRecord | undefined> {
  const all = await listOperations({ etcd, keys });
  expect(all.length).toBeLessThanOrEqual(1);
  return all[0];
}
