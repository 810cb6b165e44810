/** Planted: a mover that takes whose rows go from the owners of before the move, and asks an etcd that is as far behind. */
import type { MemberContext } from '../../src/agent/context.ts';
import type { EstateView, EstateWatch } from '../../src/controlplane/estate-watch.ts';
import type { MoveRecord } from '../../src/domain/move-records.ts';
import type { ShardRecord } from '../../src/domain/records.ts';
import type { EtcdPort, KeyValue } from '../../src/etcd/port.ts';

/** While it is cleaned, as if it had never been handed over. */
const before = (record: MoveRecord): MoveRecord =>
  record.phase === 'clean' ? { ...record, owner: record.from } : record;

const olderView = (view: EstateView): EstateView => ({
  ...view,
  moves: new Map([...view.moves].map(([key, held]) => [key, { ...held, value: before(held.value) }])),
});

export function watchOldMap(watch: EstateWatch): EstateWatch {
  // All that agents call of it is answered here: the rest of it can't be reached through another object.
  return Object.assign(Object.create(watch) as EstateWatch, {
    current: () => olderView(watch.current()),
    onChange: (listener: (view: EstateView) => void) => watch.onChange((view) => listener(olderView(view))),
    staleForMs: () => watch.staleForMs(),
    close: () => watch.close(),
  });
}

export function askOldMap({ etcd, keys }: Pick<MemberContext, 'etcd' | 'keys'>): EtcdPort {
  const older = (kv: KeyValue): KeyValue => {
    if (kv.key.startsWith(keys.moves))
      return { ...kv, value: JSON.stringify(before(JSON.parse(kv.value) as MoveRecord)) };
    if (!kv.key.startsWith(keys.shards)) return kv;
    const entry = JSON.parse(kv.value) as ShardRecord;
    return { ...kv, value: JSON.stringify({ ...entry, cluster: entry.shard === 3 ? 'c2' : 'c1' }) };
  };
  return {
    transact: (...about) => etcd.transact(...about),
    watch: (...about) => etcd.watch(...about),
    grantLiveness: (...about) => etcd.grantLiveness(...about),
    status: (...about) => etcd.status(...about),
    close: () => etcd.close(),
    get: async (...about) => {
      const found = await etcd.get(...about);
      return found === undefined ? undefined : older(found);
    },
    range: async (...about) => {
      const { kvs, revision } = await etcd.range(...about);
      return { kvs: kvs.map(older), revision };
    },
  };
}
