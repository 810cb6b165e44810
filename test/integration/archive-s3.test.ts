import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from '@20minutes/s3rver';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { S3Store, type S3StoreOptions } from '../../src/archive/s3-store.ts';
import { verifyShard } from '../../src/archive/verify-shard.ts';
import { archiveNow, LogHolder, PLACE } from '../support/archive.ts';
import { LogModel, lineageRow, someCommands } from '../support/log-model.ts';

/** A server of its own process's, that checks signatures as S3 does. */
let directory: string;
let server: S3rver;
let options: S3StoreOptions;
let store: S3Store;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'capstan-s3-'));
  const configureBuckets = [{ name: 'harbor-point-log' }];
  server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory, configureBuckets });
  const { port } = await server.run();
  options = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: 'harbor-point-log',
    prefix: 'capstan/',
    region: 'us-east-1',
    accessKey: 'S3RVER',
    secretKey: 'S3RVER',
    deadlineMs: 10_000,
  };
  store = new S3Store(options);
});
afterAll(async () => {
  await server?.close();
  await rm(directory, { recursive: true, force: true });
});

it('objects are made once, read whole, and listed in order by folder', async () => {
  expect(await store.create('a/b/2', Buffer.from('two'))).toBe('created');
  expect(await store.create('a/b/10', Buffer.from('ten'))).toBe('created');
  expect(await store.create('a/b/2', Buffer.from('other'))).toBe('exists');
  expect((await store.read('a/b/2'))?.toString()).toBe('two');
  expect(await store.read('a/b/3')).toBeUndefined();
  const names = async (folder: string, after?: string) => {
    const found: string[] = [];
    for await (const name of store.list(folder, after)) found.push(name);
    return found;
  };
  expect(await names('a/')).toEqual(['b/']);
  expect(await names('a/b/')).toEqual(['10', '2']);
  expect(await names('a/b/', '10')).toEqual(['2']);
  expect(await names('c/')).toEqual([]);
});

it('a log is archived there, forked, and verified', async () => {
  const log = new LogModel().run(someCommands(230)).entries;
  expect(await archiveNow(store, new LogHolder(log))).toMatchObject({ to: '230', segments: 5 });
  expect(await archiveNow(store, new LogHolder(log))).toMatchObject({ from: '230', segments: 0 });
  const after = LogModel.of(log.slice(0, 170), { generation: 1, term: 2 }).run(someCommands(40, 5)).entries;
  const lineage = [lineageRow(1, 1, 1), lineageRow(1, 2, 171)];
  expect(await archiveNow(store, new LogHolder(after, lineage))).toMatchObject({
    superseded: { first: '171' },
  });
  const { problems, position, strays } = await verifyShard({ store, place: PLACE });
  expect({ problems, position, strays: strays.length }).toEqual({
    problems: [],
    position: String(after.length),
    strays: 2,
  });
});

/** What making an object with other options ends in. */
const told = async (changed: Partial<S3StoreOptions>): Promise<unknown> =>
  new S3Store({ ...options, ...changed }).create('x', Buffer.from('x')).catch((error: unknown) => error);

it('a wrong key, a bucket that is not there and a store that is away are told, without the key', async () => {
  for (const changed of [{ secretKey: 'other' }, { bucket: 'absent' }, { endpoint: 'http://127.0.0.1:1' }]) {
    const error = await told(changed);
    expect(error).toMatchObject({ code: 'archive_unreachable', exit: 7 });
    expect(String(error)).not.toMatch(/S3RVER|other/);
  }
});
