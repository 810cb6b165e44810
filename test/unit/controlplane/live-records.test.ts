import { expect, test } from 'vitest';
import { Keys } from '../../../src/controlplane/keys.ts';
import { LiveRecords, type WatchReport } from '../../../src/controlplane/live-records.ts';
import type { KeyValue } from '../../../src/etcd/port.ts';

const keys = new Keys('e');
const kv = (key: string, value: unknown, revision: number): KeyValue => ({
  key,
  value: JSON.stringify(value),
  modRevision: String(revision),
});

function liveRecords() {
  const reports: WatchReport[] = [];
  const records = new LiveRecords(keys, (report) => reports.push(report));
  records.snapshot({
    revision: '10',
    kvs: [
      kv(keys.estate, { incarnation: 'one' }, 1),
      kv(keys.map, { version: 5 }, 2),
      kv(keys.shard(1), { generation: 2, mapVersion: 5 }, 2),
      kv(keys.authority('c1'), { term: 4 }, 3),
      kv(keys.membership('c1'), { epoch: 2 }, 4),
      kv(keys.heartbeat('c1', 'm'), { term: 4 }, 5),
      kv(keys.lease('c1'), { term: 4 }, 6),
    ],
  });
  return { records, reports };
}

test.each([
  [keys.map, { version: 4 }],
  [keys.shard(1), { generation: 1, mapVersion: 9 }],
  [keys.shard(1), { generation: 2, mapVersion: 4 }],
  [keys.authority('c1'), { term: 3 }],
  [keys.membership('c1'), { epoch: 1 }],
])('%s below what was seen is ignored and reported', (key, value) => {
  const { records, reports } = liveRecords();
  const before = records.kvs.get(key);
  expect(records.events([{ kind: 'put', kv: kv(key, value, 11) }], '11')?.size).toBe(0);
  expect(records.kvs.get(key)).toBe(before);
  expect(reports).toMatchObject([{ kind: 'record-went-backwards', key }]);
});

test('an authority, a map or a shard that vanishes is ignored and reported; a heartbeat or a lease may go', () => {
  const { records, reports } = liveRecords();
  const gone = (key: string) => records.events([{ kind: 'delete', key, modRevision: '12' }], '12');
  for (const key of [keys.authority('c1'), keys.map, keys.shard(1), keys.estate]) {
    expect(gone(key)?.size).toBe(0);
    expect(records.kvs.has(key)).toBe(true);
  }
  expect(reports).toHaveLength(4);
  for (const key of [keys.heartbeat('c1', 'm'), keys.lease('c1')]) {
    expect(gone(key)).toEqual(new Set([key]));
  }
  expect(reports).toHaveLength(4);
});

test('what is of a cluster follows each put, each deletion and each snapshot, and is of no other', () => {
  const { records } = liveRecords();
  const own = (cluster: string) =>
    records.ofCluster(cluster).map(({ key, modRevision }) => [key, modRevision]);
  const lasting = [
    [keys.authority('c1'), '3'],
    [keys.membership('c1'), '4'],
  ];
  expect(own('c1')).toEqual([...lasting, [keys.heartbeat('c1', 'm'), '5'], [keys.lease('c1'), '6']]);
  expect(own('c')).toEqual([]);
  records.events([{ kind: 'put', kv: kv(keys.lease('c1'), { term: 4 }, 11) }], '11');
  records.events([{ kind: 'delete', key: keys.heartbeat('c1', 'm'), modRevision: '12' }], '12');
  records.events([{ kind: 'put', kv: kv(keys.lease('c10'), { term: 1 }, 13) }], '13');
  expect(own('c1')).toEqual([...lasting, [keys.lease('c1'), '11']]);
  expect(own('c10')).toEqual([[keys.lease('c10'), '13']]);
  const left = [...records.kvs.values()].filter(({ key }) => key !== keys.lease('c1'));
  records.snapshot({ revision: '14', kvs: left });
  expect(own('c1')).toEqual(lasting);
});

test('a snapshot without a key is the same as its deletion', () => {
  const { records } = liveRecords();
  const changed = records.snapshot({ revision: '20', kvs: [kv(keys.estate, { incarnation: 'one' }, 1)] });
  expect(changed).toEqual(new Set([keys.heartbeat('c1', 'm'), keys.lease('c1')]));
  expect(records.kvs.has(keys.authority('c1'))).toBe(true);
});

test('after another incarnation was seen nothing more is taken over', () => {
  const { records, reports } = liveRecords();
  expect(
    records.events([{ kind: 'put', kv: kv(keys.estate, { incarnation: 'two' }, 11) }], '11'),
  ).toBeUndefined();
  expect(records.believed).toBe(false);
  expect(records.events([{ kind: 'put', kv: kv(keys.map, { version: 6 }, 12) }], '12')).toBeUndefined();
  expect(records.kvs.get(keys.map)?.modRevision).toBe('2');
  expect(reports).toMatchObject([{ kind: 'incarnation-changed' }]);
});

test('a store whose revision fell is not believed until it has passed what was seen', () => {
  const { records, reports } = liveRecords();
  expect(records.snapshot({ revision: '7', kvs: [kv(keys.map, { version: 9 }, 7)] })).toBeUndefined();
  expect(records.believed).toBe(false);
  expect(reports).toMatchObject([{ kind: 'store-went-backwards', seen: '10', got: '7' }]);
  records.snapshot({
    revision: '11',
    kvs: [kv(keys.estate, { incarnation: 'one' }, 1), kv(keys.map, { version: 9 }, 11)],
  });
  expect(records.believed).toBe(true);
});

test('a record that is not JSON is reported and the one before it stays', () => {
  const { records, reports } = liveRecords();
  records.events([{ kind: 'put', kv: { key: keys.map, value: 'oops', modRevision: '11' } }], '11');
  expect(records.kvs.get(keys.map)?.modRevision).toBe('2');
  expect(reports).toMatchObject([{ kind: 'unreadable', key: keys.map }]);
});
