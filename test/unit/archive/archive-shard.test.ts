import { expect, test } from 'vitest';
import { listHeads, newestHead } from '../../../src/archive/head.ts';
import { readArchive } from '../../../src/archive/read-archive.ts';
import { verifyShard } from '../../../src/archive/verify-shard.ts';
import { CHAIN_START, chainAfter, type LogEntry } from '../../../src/domain/log-entry.ts';
import { archiveNow, clockAt, LogHolder, MemoryStore, NEW, PLACE } from '../../support/archive.ts';
import { LogModel, lineageRow, someCommands } from '../../support/log-model.ts';

const log = new LogModel().run(someCommands(230)).entries;
const chainOf = (entries: readonly LogEntry[]) => entries.reduce(chainAfter, CHAIN_START).toString('hex');
const verified = (store: MemoryStore) => verifyShard({ store, place: PLACE });

async function readBack(store: MemoryStore, range: { from?: bigint; to?: bigint } = {}): Promise<LogEntry[]> {
  const archived = await readArchive({ store, place: PLACE, ...range });
  const entries: LogEntry[] = [];
  for await (const page of archived?.pages ?? []) entries.push(...page);
  return entries;
}

test('full segments are archived, the rest only when it is asked for or old', async () => {
  const store = new MemoryStore();
  const holder = new LogHolder(log);
  expect(await archiveNow(store, holder, { close: false })).toMatchObject({
    from: '0',
    to: '200',
    segments: 4,
  });
  expect(await archiveNow(store, holder, { close: false })).toMatchObject({
    from: '200',
    to: '200',
    segments: 0,
  });
  expect(await archiveNow(store, holder, { close: false, clock: clockAt(NEW + 86_400_000) })).toMatchObject({
    to: '230',
    segments: 1,
  });
  expect(await readBack(store)).toEqual(log);
  expect(await readBack(store, { from: 45n, to: 160n })).toEqual(log.slice(44, 160));
  expect(await verified(store)).toMatchObject({
    position: '230',
    chain: chainOf(log),
    problems: [],
    strays: [],
  });
});

test('nothing above the bound is archived, and a source that is behind changes nothing', async () => {
  const store = new MemoryStore();
  const holder = new LogHolder(log);
  holder.bound = 120;
  expect(await archiveNow(store, holder)).toMatchObject({ to: '120', bound: '120' });
  holder.bound = 90;
  expect(await archiveNow(store, holder)).toMatchObject({
    to: '120',
    segments: 0,
    behind: expect.stringContaining('120') as string,
  });
  holder.bound = undefined;
  expect(await archiveNow(store, holder)).toMatchObject({ from: '120', to: '230' });
  expect(await readBack(store)).toEqual(log);
});

test('killed before any object that it makes, the archive is the old one or the new one, and goes on', async () => {
  for (let at = 0; ; at += 1) {
    const store = new MemoryStore();
    await archiveNow(store, new LogHolder(log.slice(0, 60)));
    const before = store.objects.size;
    let made = 0;
    store.onCreate = () => {
      made += 1;
      if (made > at) throw new Error('killed');
    };
    const killed = await archiveNow(store, new LogHolder(log)).then(
      () => false,
      () => true,
    );
    store.onCreate = () => undefined;
    const { problems } = await verified(store);
    expect({ at, problems }).toEqual({ at, problems: [] });
    const held = await readBack(store);
    expect(held).toEqual(log.slice(0, held.length));
    expect(await archiveNow(store, new LogHolder(log))).toMatchObject({ to: '230' });
    expect(await verified(store)).toMatchObject({ position: '230', problems: [], strays: [] });
    expect(store.objects.size).toBe(before + 8);
    if (!killed) return;
  }
});

test('archivers at once, cutting at other positions, leave one sound archive', async () => {
  const store = new MemoryStore();
  // Each waits for its turn before every object, so that they interleave.
  store.onCreate = () => new Promise((resolve) => setImmediate(resolve));
  const holder = new LogHolder(log);
  await Promise.all([
    archiveNow(store, holder, { segmentEntries: 50 }),
    archiveNow(store, holder, { segmentEntries: 70 }),
    archiveNow(store, holder, { segmentEntries: 50 }),
  ]);
  const { problems, strays, position } = await verified(store);
  expect({ problems, position }).toEqual({ problems: [], position: '230' });
  expect(new Set(strays.map(({ is }) => is))).toEqual(new Set(['duplicate']));
  expect(await readBack(store)).toEqual(log);
});

test('what a failover lost is kept and marked, and the log goes on under the later authority', async () => {
  const store = new MemoryStore();
  await archiveNow(store, new LogHolder(log));
  const old = store.keys('segments');
  const after = LogModel.of(log.slice(0, 170), { generation: 1, term: 2 }).run(someCommands(100, 5)).entries;
  const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 171)];
  const holder = new LogHolder(after, lineage);
  expect(await archiveNow(store, holder, { close: false })).toMatchObject({
    from: '230',
    to: String(after.length),
    superseded: { first: '171', last: '230', by: { term: 2 } },
  });
  expect(store.keys('segments')).toEqual(expect.arrayContaining([...old]));
  expect(await readBack(store)).toEqual(after);
  const { problems, strays } = await verified(store);
  expect(problems).toEqual([]);
  expect(strays.map(({ is }) => is)).toEqual(['superseded', 'superseded']);
  const newest = await newestHead(store, PLACE);
  expect(newest?.head.superseded).toMatchObject([{ first: '171', last: '230', chain: chainOf(log) }]);
});

test('an archiver that was paused over a failover takes nothing back', async () => {
  const store = new MemoryStore();
  await archiveNow(store, new LogHolder(log.slice(0, 150)));
  const paused = Promise.withResolvers<void>();
  let slow = true;
  store.onCreate = () => (slow ? ((slow = false), paused.promise) : undefined);
  const deposed = archiveNow(store, new LogHolder(log));
  const after = LogModel.of(log.slice(0, 160), { generation: 1, term: 2 }).run(someCommands(20, 5)).entries;
  await archiveNow(store, new LogHolder(after, [lineageRow(1, 1, 1), lineageRow(1, 2, 161)]));
  paused.resolve();
  await deposed;
  expect((await newestHead(store, PLACE))?.head.position).toBe(String(after.length));
  expect(await readBack(store)).toEqual(after);
  const { problems, strays } = await verified(store);
  expect(problems).toEqual([]);
  expect(strays.map(({ is }) => is)).toContain('superseded');
});

test('a failover that decided nothing yet is archived too', async () => {
  const store = new MemoryStore();
  await archiveNow(store, new LogHolder(log));
  const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 101)];
  expect(await archiveNow(store, new LogHolder(log.slice(0, 100), lineage))).toMatchObject({
    to: '100',
    superseded: { first: '101' },
  });
  expect(await verified(store)).toMatchObject({ position: '100', problems: [] });
  expect(await archiveNow(store, new LogHolder(log.slice(0, 100), lineage))).toMatchObject({
    from: '100',
    to: '100',
    superseded: null,
  });
  expect(await listHeads(store, PLACE)).toHaveLength(6);
});

test('a log that holds another entry under the same lineage is a conflict, and nothing is written', async () => {
  const store = new MemoryStore();
  await archiveNow(store, new LogHolder(log));
  const size = store.objects.size;
  const other = [...new LogModel().run(someCommands(230, 2)).entries, ...log.slice(0, 5)];
  await expect(archiveNow(store, new LogHolder(other))).rejects.toMatchObject({
    code: 'archive_conflict',
    exit: 3,
  });
  const forged = LogModel.of(other.slice(0, 170), { generation: 1, term: 2 }).run(
    someCommands(80, 5),
  ).entries;
  const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 171)];
  await expect(archiveNow(store, new LogHolder(forged, lineage))).rejects.toMatchObject({
    code: 'archive_conflict',
  });
  expect(store.objects.size).toBe(size);
});
