import { beforeEach, expect, test } from 'vitest';
import { headsFolder, segmentsFolder } from '../../../src/archive/keys.ts';
import type { ProblemKind } from '../../../src/archive/problems.ts';
import { readArchive } from '../../../src/archive/read-archive.ts';
import { encodeSegment } from '../../../src/archive/segment.ts';
import { verifyShard } from '../../../src/archive/verify-shard.ts';
import { CHAIN_START, chainAfter } from '../../../src/domain/log-entry.ts';
import { archiveNow, LogHolder, MemoryStore, PLACE } from '../../support/archive.ts';
import { LogModel, lineageRow, someCommands } from '../../support/log-model.ts';

const log = new LogModel().run(someCommands(230)).entries;
let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  await archiveNow(store, new LogHolder(log));
});

const problems = async () => (await verifyShard({ store, place: PLACE })).problems;
const kinds = async (): Promise<ProblemKind[]> => (await problems()).map(({ problem }) => problem);
const segment = (index: number): string => store.keys('segments').at(index) ?? '';
const nameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

async function readAll(): Promise<number> {
  let entries = 0;
  for await (const page of (await readArchive({ store, place: PLACE }))?.pages ?? []) entries += page.length;
  return entries;
}

async function replayFails(): Promise<void> {
  await expect(readAll()).rejects.toMatchObject({ code: 'archive_damaged', exit: 3 });
}

test('a byte that was changed is found in every object, and the object is named', async () => {
  for (const [key, bytes] of store.objects) {
    for (const at of [0, 20, 90, bytes.length >> 1, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      store.objects.set(key, changed);
      expect(
        (await problems()).map(({ object }) => object),
        `${key} at ${at}`,
      ).toContain(nameOf(key));
    }
    store.objects.set(key, bytes);
  }
  expect(await problems()).toEqual([]);
});

test('each segment that is missing is missed, by its position', async () => {
  for (const [index, end] of ['50', '100', '150', '200', '230'].entries()) {
    const key = segment(index);
    const bytes = store.objects.get(key);
    store.objects.delete(key);
    expect(await problems()).toMatchObject([{ problem: 'segment_missing', position: end }]);
    await replayFails();
    if (bytes !== undefined) store.objects.set(key, bytes);
  }
});

test('a segment that was cut off is damaged, and so is an empty one', async () => {
  const bytes = store.objects.get(segment(2)) ?? Buffer.alloc(0);
  for (const length of [0, 10, 200, bytes.length - 1]) {
    store.objects.set(segment(2), bytes.subarray(0, length));
    expect(await problems()).toMatchObject([
      { problem: 'segment_damaged', object: nameOf(segment(2)), position: '101' },
    ]);
    await replayFails();
  }
});

test('two segments whose contents were swapped are both misplaced', async () => {
  const [one, two] = [store.objects.get(segment(1)), store.objects.get(segment(3))];
  if (one === undefined || two === undefined) throw new Error('no segments');
  store.objects.set(segment(1), two);
  store.objects.set(segment(3), one);
  expect(await kinds()).toEqual(['segment_misplaced', 'segment_misplaced']);
  await replayFails();
});

test('a segment or head of another shard is found out', async () => {
  const other = { ...PLACE, shard: 7 };
  await archiveNow(store, new LogHolder(new LogModel().run(someCommands(230, 3)).entries), { place: other });
  for (const part of ['segments', 'heads']) {
    for (const key of [...store.objects.keys()].filter((one) => one.includes(`/0007/${part}/`))) {
      const bytes = store.objects.get(key);
      if (bytes !== undefined) store.objects.set(key.replace('/0007/', '/0184/'), bytes);
    }
  }
  const found = new Set(await kinds());
  expect(found).toContain('segment_misplaced');
  expect(found).toContain('head_damaged');
  expect(await verifyShard({ store, place: other })).toMatchObject({ problems: [] });
});

test('heads that are gone are told as far as anything names them', async () => {
  const heads = store.keys('heads');
  store.objects.delete(heads[1] ?? '');
  expect(await problems()).toMatchObject([{ problem: 'head_missing', object: nameOf(heads[1] ?? '') }]);
  store.objects.delete(heads.at(-1) ?? '');
  const { strays, position } = await verifyShard({ store, place: PLACE });
  expect({ strays, position }).toMatchObject({ strays: [{ is: 'pending' }], position: '200' });
  for (const head of heads) store.objects.delete(head);
  expect(await kinds()).toEqual(['head_missing']);
});

test('a sound segment that contradicts the live chain, and no failover explains, is reported', async () => {
  const forged = new LogModel().run(someCommands(100, 2)).entries.slice(50, 100);
  const chainBefore = log.slice(0, 50).reduce(chainAfter, CHAIN_START);
  const { name, bytes } = await encodeSegment({
    place: PLACE,
    chainBefore,
    entries: forged,
    lineage: [lineageRow(1, 1, 1)],
    compression: 'gzip',
  });
  store.objects.set(`${segmentsFolder(PLACE)}${name}`, bytes);
  store.objects.set(`${headsFolder(PLACE)}notes.txt`, bytes);
  store.objects.set(`${segmentsFolder(PLACE)}notes.txt`, bytes);
  expect(await problems()).toMatchObject([
    { problem: 'segment_misplaced', object: 'notes.txt' },
    { problem: 'segment_unexplained', object: name, position: '51' },
  ]);
});
