/** What the control plane relies on of etcd, asked of any port; each case answers what it saw, revisions counted from its start. */
import type { Compare, EtcdPort, Write } from '../../../src/etcd/port.ts';
import { CapstanError } from '../../../src/domain/errors.ts';

export interface EtcdSubject {
  readonly etcd: EtcdPort;
  /** Breaks every connection for a moment; writes made after it are answered. */
  readonly breakConnections: () => Promise<void>;
  readonly until: (what: string, holds: () => boolean) => Promise<void>;
}

type Case = (subject: EtcdSubject, prefix: string) => Promise<readonly unknown[]>;

const put = (key: string, value: string, leaseId?: string): Write => ({
  kind: 'put',
  key,
  value,
  ...(leaseId === undefined ? {} : { leaseId }),
});
const remove = (key: string): Write => ({ kind: 'delete', key });
const absent = (key: string): Compare => ({ key, modRevision: '0' });

/** Writes and says whether it was done, and by how much the store's revision stands above `base`. */
async function write(etcd: EtcdPort, base: bigint, compares: readonly Compare[], writes: readonly Write[]) {
  const { succeeded, revision } = await etcd.transact(compares, writes);
  return `${succeeded} +${BigInt(revision) - base}`;
}

const baseOf = async (etcd: EtcdPort, prefix: string) => BigInt((await etcd.range(prefix)).revision);

export const ETCD_CASES: Readonly<Record<string, Case>> = {
  'absence, revisions, deletes and compares': async ({ etcd }, prefix) => {
    const base = await baseOf(etcd, prefix);
    const [a, b] = [`${prefix}a`, `${prefix}b`];
    const revisionOf = async (key: string) => (await etcd.get(key))?.modRevision ?? '0';
    const seen: unknown[] = [
      await write(etcd, base, [absent(a)], [put(a, '1')]),
      await write(etcd, base, [absent(a)], [put(a, '2')]),
      (await etcd.get(a))?.value,
    ];
    const first = await revisionOf(a);
    seen.push(
      await write(etcd, base, [{ key: a, modRevision: first }], [put(a, '1')]),
      await write(etcd, base, [{ key: a, modRevision: first }], [put(a, '3')]),
      await write(etcd, base, [absent(b)], []),
      await write(etcd, base, [], [remove(b)]),
      await write(etcd, base, [absent(b)], [put(a, '4'), put(b, '5')]),
      BigInt(await revisionOf(a)) === BigInt(await revisionOf(b)),
      await write(etcd, base, [{ key: b, modRevision: await revisionOf(b) }], [remove(b), put(a, '6')]),
      await write(etcd, base, [absent(b)], [put(b, '7')]),
    );
    const { kvs, revision } = await etcd.range(prefix);
    seen.push(
      kvs.map(({ key, value, modRevision }) => [
        key.slice(prefix.length),
        value,
        Number(BigInt(modRevision) - base),
      ]),
      Number(BigInt(revision) - base),
    );
    return seen;
  },

  'a range is its prefix, in key order': async ({ etcd }, prefix) => {
    for (const key of ['b/2', 'a', 'b/10', 'c', 'b']) await etcd.transact([], [put(`${prefix}${key}`, key)]);
    const { kvs } = await etcd.range(`${prefix}b/`);
    const all = await etcd.range(prefix);
    return [kvs.map(({ value }) => value), all.kvs.map(({ value }) => value)];
  },

  'a watch lists, then tells each change in order': async ({ etcd, until }, prefix) => {
    const base = await baseOf(etcd, prefix);
    const seen: unknown[] = [];
    await etcd.transact([], [put(`${prefix}w/a`, '1')]);
    const watch = await etcd.watch(`${prefix}w/`, {
      onSnapshot: ({ kvs }) => seen.push(kvs.map(({ value }) => value)),
      onEvents: (events) => {
        for (const event of events)
          seen.push(
            event.kind === 'put'
              ? `${event.kv.key.slice(prefix.length)}=${event.kv.value} +${BigInt(event.kv.modRevision) - base}`
              : `${event.key.slice(prefix.length)} gone +${BigInt(event.modRevision) - base}`,
          );
      },
    });
    await etcd.transact([], [put(`${prefix}w/b`, '2'), put(`${prefix}elsewhere`, '3')]);
    await etcd.transact([], [put(`${prefix}w/a`, '1')]);
    await etcd.transact([], [remove(`${prefix}w/b`), put(`${prefix}w/end`, '4')]);
    await until('the last change is told', () => seen.some((one) => String(one).startsWith('w/end')));
    await watch.close();
    return [...seen.slice(0, 3), ...seen.slice(3).map(String).toSorted()];
  },

  'after a break it lists again, and nothing is missed': async (
    { etcd, breakConnections, until },
    prefix,
  ) => {
    const lists: (readonly string[])[] = [];
    const told = new Set<string>();
    let breaks = 0;
    const watch = await etcd.watch(prefix, {
      onSnapshot: ({ kvs }) => {
        lists.push(kvs.map(({ value }) => value));
        for (const { value } of kvs) told.add(value);
      },
      onEvents: (events) => {
        for (const event of events) if (event.kind === 'put') told.add(event.kv.value);
      },
      onBreak: () => {
        breaks += 1;
      },
    });
    await etcd.transact([], [put(`${prefix}before`, 'before')]);
    await breakConnections();
    await until('it lists again', () => lists.length > 1);
    await etcd.transact([], [put(`${prefix}after`, 'after')]);
    await until('what came after is told', () => told.has('after'));
    await watch.close();
    return [lists[0], breaks > 0, [...told].toSorted()];
  },

  'a liveness lease takes its keys along, and is refused once it is gone': async (
    { etcd, until },
    prefix,
  ) => {
    const key = `${prefix}alive`;
    const lease = await etcd.grantLiveness(2_000);
    await etcd.transact([], [put(key, 'yes', lease.id)]);
    const before = (await etcd.get(key))?.value;
    let gone = false;
    const watch = await etcd.watch(key, {
      onSnapshot: () => undefined,
      onEvents: (events) => {
        gone = events.some(({ kind }) => kind === 'delete');
      },
    });
    await lease.close();
    await until('the key has gone', () => gone);
    await watch.close();
    const refused = await etcd.transact([], [put(key, 'again', lease.id)]).catch((error: unknown) => error);
    return [before, (await etcd.get(key)) === undefined, refused instanceof CapstanError && refused.code];
  },
};
