/** Planted: a coordinator that, once it has sent a flip, reads from a member of etcd that is seconds behind. */
import type { MoveRecord } from '../../src/domain/move-records.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import type { EtcdPort, KeyValue, RangeResult, Write } from '../../src/etcd/port.ts';
import type { SimProcess } from './process.ts';

const BEHIND_MS = 5_000;

export function readOldState(etcd: EtcdPort, keys: Keys, { clock }: SimProcess): EtcdPort {
  const gets = new Map<string, KeyValue | undefined>();
  const ranges = new Map<string, RangeResult>();
  let behindUntilMs = -Infinity;
  const isBehind = () => clock.monotonicMs() < behindUntilMs;
  return {
    watch: (...about) => etcd.watch(...about),
    grantLiveness: (...about) => etcd.grantLiveness(...about),
    status: (...about) => etcd.status(...about),
    close: () => etcd.close(),
    transact: (compares, writes, options) => {
      if (writes.some((write) => flips(write, keys)) && !isBehind())
        behindUntilMs = clock.monotonicMs() + BEHIND_MS;
      return etcd.transact(compares, writes, options);
    },
    get: async (key, options) => {
      const now = await etcd.get(key, options);
      if (isBehind() && gets.has(key)) return gets.get(key);
      gets.set(key, now);
      return now;
    },
    range: async (prefix, options) => {
      const now = await etcd.range(prefix, options);
      const before = ranges.get(prefix);
      if (isBehind() && before !== undefined) {
        // As a read of that key would have answered.
        for (const kv of before.kvs) gets.set(kv.key, kv);
        return before;
      }
      ranges.set(prefix, now);
      for (const kv of now.kvs) gets.set(kv.key, kv);
      return now;
    },
  };
}

const flips = (write: Write, keys: Keys): boolean =>
  write.kind === 'put' &&
  write.key.startsWith(keys.moves) &&
  (JSON.parse(write.value) as MoveRecord).phase === 'turn';
