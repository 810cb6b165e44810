import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { compareWithShard } from '../archive/against-shards.ts';
import { listHeads, newestHead } from '../archive/head.ts';
import type { ShardPlace } from '../archive/keys.ts';
import type { LogReader } from '../archive/log-port.ts';
import { findPlaces, placesOf } from '../archive/places.ts';
import type { ShardVerified } from '../archive/problems.ts';
import { readArchive } from '../archive/read-archive.ts';
import { replayIntoProjections } from '../archive/replay-into-projections.ts';
import { ShardView } from '../archive/shard-view.ts';
import type { ArchiveStore } from '../archive/store.ts';
import { verifyShard } from '../archive/verify-shard.ts';
import { currentActor } from '../controlplane/actor.ts';
import { refusedError } from '../domain/errors.ts';
import type { Estate } from './estate.ts';
import { withArchive, withEstateLog } from './log-command.ts';
import { supersededData } from './present/log.ts';
import type { Progress } from './progress.ts';
import type { LogListData, LogReplayData, LogVerifyData } from './schemas/log.ts';

/** A line each would say little and fill a log. */
const SHARDS_A_NOTE = 50;

interface ReadOptions {
  readonly estate: Estate;
  readonly shards: readonly number[] | undefined;
  readonly incarnation: string | undefined;
}

interface RunOptions extends ReadOptions {
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export function listCommand({ estate, ...wanted }: ReadOptions): Promise<LogListData> {
  return withArchive(estate, async (store) => {
    const places = await findPlaces(store, estate.config.estate, wanted);
    const shards: LogListData['shards'] = [];
    for (const place of placesOf(places)) {
      const [newest, heads, view] = await Promise.all([
        newestHead(store, place),
        listHeads(store, place),
        ShardView.read(store, place),
      ]);
      const last = newest?.head.lineage.at(-1);
      if (newest === undefined || last === undefined) continue;
      shards.push({
        shard: place.shard,
        position: newest.head.position,
        chain: newest.head.chain,
        heads: heads.length,
        segments: view.segments.length,
        generation: last.generation,
        term: last.term,
        cluster: last.cluster,
        superseded: newest.head.superseded.map(supersededData),
      });
    }
    return { where: store.where, incarnation: places.incarnation, shards };
  });
}

export function verifyCommand(
  options: RunOptions & { readonly againstShards: boolean },
): Promise<LogVerifyData> {
  const { estate, againstShards } = options;
  return withArchive(estate, (store) =>
    againstShards
      ? withEstateLog(estate, ({ reader }) => verifyAll(options, store, reader))
      : verifyAll(options, store, undefined),
  );
}

async function verifyAll(
  { estate, progress, signal, ...wanted }: RunOptions,
  store: ArchiveStore,
  reader: LogReader | undefined,
): Promise<LogVerifyData> {
  const places = await findPlaces(store, estate.config.estate, wanted);
  const verified: (ShardVerified & { ahead: string | null })[] = [];
  const step = `verify ${places.shards.length} shards`;
  for (const place of placesOf(places)) {
    if (verified.length % SHARDS_A_NOTE === 0)
      progress.step(step, 'running', `${verified.length} of ${places.shards.length}`);
    const found = await verifyShard({ store, place, signal });
    const { shard, position, chain } = found;
    const compared =
      reader === undefined || position === null || chain === null
        ? { ahead: null, problems: [] }
        : await compareWithShard({ reader, shard, position, chain, signal });
    verified.push({ ...found, ahead: compared.ahead, problems: [...found.problems, ...compared.problems] });
  }
  const problems = verified.flatMap((one) => one.problems);
  progress.step(step, problems.length === 0 ? 'done' : 'failed');
  return {
    where: store.where,
    incarnation: places.incarnation,
    sound: problems.length === 0,
    segments: verified.reduce((sum, { segments }) => sum + segments, 0),
    bytes: verified.reduce((sum, { bytes }) => sum + bytes, 0),
    shards: verified.map(({ shard, position, chain, segments, bytes, ahead }) => ({
      shard,
      position,
      chain,
      segments,
      bytes,
      ahead,
    })),
    strays: verified.flatMap(({ strays }) => strays),
    problems,
  };
}

interface ReplayOptions extends RunOptions {
  readonly into: string;
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
}

export function replayCommand(options: ReplayOptions): Promise<LogReplayData> {
  const { estate, into, signal, progress } = options;
  return withArchive(estate, async (store) => {
    const places = await findPlaces(store, estate.config.estate, options);
    const all = placesOf(places);
    const step = `replay ${all.length} shards`;
    const onShard = (done: number) => {
      if (done % SHARDS_A_NOTE === 0) progress.step(step, 'running', `${done} of ${all.length}`);
    };
    const shards =
      into === 'projections'
        ? await replayIntoProjections({
            config: estate.config,
            region: estate.region,
            store,
            places: all,
            by: currentActor(),
            signal,
            onShard,
          })
        : await replayLines(options, store, all);
    progress.step(step, shards.every(({ error }) => error === null) ? 'done' : 'failed');
    const entries = shards.reduce((sum, one) => sum + one.entries, 0);
    const changed = into === 'projections' ? shards.some(({ error }) => error === null) : into !== '-';
    return {
      changed,
      where: store.where,
      incarnation: places.incarnation,
      into,
      entries,
      shards: [...shards],
    };
  });
}

/** One JSON object a line; the first problem ends it, for a reader of lines can't be told otherwise. */
async function replayLines(
  { into, from, to, signal }: ReplayOptions,
  store: ArchiveStore,
  places: readonly ShardPlace[],
): Promise<LogReplayData['shards']> {
  const target: Writable = into === '-' ? process.stdout : createWriteStream(into, { flags: 'wx' });
  const failed = once(target, 'error').then(([error]) => {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST'
      ? refusedError(`${into} is there already`, { code: 'file_exists', next: 'name another file' })
      : error;
  });
  failed.catch(() => undefined);
  const shards: LogReplayData['shards'] = [];
  for (const place of places) {
    const archived = await readArchive({
      store,
      place,
      signal,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    let entries = 0;
    for await (const page of archived?.pages ?? []) {
      entries += page.length;
      const lines = page.map((entry) => `${JSON.stringify({ shard: place.shard, ...entry })}\n`).join('');
      if (!target.write(lines)) await Promise.race([once(target, 'drain'), failed]);
    }
    shards.push({ shard: place.shard, position: archived?.head.position ?? '0', entries, error: null });
  }
  if (into !== '-') {
    target.end();
    await Promise.race([finished(target), failed]);
  }
  return shards;
}
