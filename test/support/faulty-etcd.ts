/** An etcd port that fails on purpose at a chosen write, for the failures that a coordinator must survive. */
import { setTimeout as delay } from 'node:timers/promises';
import { unknownError } from '../../src/domain/errors.ts';
import type { Compare, EtcdPort, TransactionResult, Write } from '../../src/etcd/port.ts';

/**
 * - `die-before`, `die-after`: the process is killed just before the write is sent, or right after it was carried out.
 * - `lose-reply`: carried out, and the reply is lost. `lose-request`: never arrives.
 * - `late`, `very-late`: the reply is given up on, and the write arrives before, or after, it is sent again.
 */
export type Fault = 'die-before' | 'die-after' | 'lose-reply' | 'lose-request' | 'late' | 'very-late';

export class Killed extends Error {}

const LATE_MS = { late: 120, 'very-late': 400 };

export interface FaultyEtcd extends EtcdPort {
  /** Settles once late writes have arrived. */
  readonly settled: () => Promise<void>;
}

const lost = () => unknownError('the reply was lost', { code: 'etcd_outcome_unknown' });

/** `faultAt` is asked before each write (the first is 1); a promise lets a test hold it there. */
export function faultyEtcd(
  etcd: EtcdPort,
  faultAt: (write: number) => Fault | undefined | Promise<Fault | undefined>,
): FaultyEtcd {
  let dead = false;
  let count = 0;
  const late: Promise<unknown>[] = [];
  const alive = () => {
    if (dead) throw new Killed('the coordinator was killed');
  };
  return {
    settled: async () => {
      await Promise.all(late);
    },
    async get(key, options) {
      alive();
      return etcd.get(key, options);
    },
    async range(prefix, options) {
      alive();
      return etcd.range(prefix, options);
    },
    async transact(compares: readonly Compare[], writes: readonly Write[]): Promise<TransactionResult> {
      alive();
      // A sign of life is none of the protocol's steps.
      if (writes.every((write) => write.kind === 'put' && write.leaseId !== undefined))
        return etcd.transact(compares, writes);
      count += 1;
      const fault = await faultAt(count);
      alive();
      if (fault === 'die-before') {
        dead = true;
        throw new Killed('the coordinator was killed');
      }
      if (fault === 'lose-request') throw lost();
      if (fault === 'late' || fault === 'very-late') {
        late.push(delay(LATE_MS[fault]).then(() => etcd.transact(compares, writes)));
        throw lost();
      }
      const result = await etcd.transact(compares, writes);
      if (fault === 'lose-reply') throw lost();
      if (fault === 'die-after') {
        dead = true;
        throw new Killed('the coordinator was killed');
      }
      return result;
    },
    watch: (prefix, handlers) => etcd.watch(prefix, handlers),
    async grantLiveness(ttlMs) {
      alive();
      return etcd.grantLiveness(ttlMs);
    },
    status: (options) => etcd.status(options),
    close: () => undefined,
  };
}
