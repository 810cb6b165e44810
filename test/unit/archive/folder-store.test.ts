import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderStore } from '../../../src/archive/folder-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const names = async (store: FolderStore, under: string, after?: string) => {
  const found: string[] = [];
  for await (const name of store.list(under, after)) found.push(name);
  return found;
};

test('an object is made once, whole, and never changed; of many that make it at once one does', async () => {
  const store = new FolderStore(join(folder, 'deep', 'archive'));
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      new FolderStore(store.where).create('a/b/one', Buffer.from(String(n).repeat(5_000))),
    ),
  );
  expect(made.filter((result) => result === 'created')).toHaveLength(1);
  const text = (await store.read('a/b/one'))?.toString() ?? '';
  expect(new Set(text).size).toBeLessThanOrEqual(2);
  expect(await store.create('a/b/one', Buffer.from('other'))).toBe('exists');
  expect((await store.read('a/b/one'))?.toString()).toBe(text);
  expect(await store.read('a/b/two')).toBeUndefined();
  expect(await readdir(join(store.where, 'incoming'))).toEqual([]);
});

test('a listing has names and folders in order, and no draft', async () => {
  const store = new FolderStore(folder);
  for (const key of ['e/i/2', 'e/i/10', 'e/j/1', 'f/x']) await store.create(key, Buffer.from('x'));
  expect(await names(store, '')).toEqual(['e/', 'f/']);
  expect(await names(store, 'e/')).toEqual(['i/', 'j/']);
  expect(await names(store, 'e/i/')).toEqual(['10', '2']);
  expect(await names(store, 'e/i/', '10')).toEqual(['2']);
  expect(await names(store, 'nowhere/')).toEqual([]);
});

test('drafts of an archiver that was killed are swept after an hour, not before', async () => {
  const incoming = join(folder, 'incoming');
  await mkdir(incoming);
  for (const [name, minutes] of [
    ['old', 90],
    ['young', 5],
  ] as const) {
    await writeFile(join(incoming, name), 'half');
    const at = Date.now() / 1000 - minutes * 60;
    await utimes(join(incoming, name), at, at);
  }
  await new FolderStore(folder).create('a', Buffer.from('x'));
  expect(await readdir(incoming)).toEqual(['young']);
});

test('a folder that can not be written is told as such', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(new FolderStore(join(folder, 'file')).create('a', Buffer.from('x'))).rejects.toMatchObject({
    code: 'archive_unreachable',
    exit: 7,
  });
});
