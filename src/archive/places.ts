import { refusedError, usageError } from '../domain/errors.ts';
import { parseShardFolder, type ShardPlace } from './keys.ts';
import type { ArchiveStore } from './store.ts';

export interface ArchivePlaces {
  readonly estate: string;
  readonly incarnation: string;
  /** In order. */
  readonly shards: readonly number[];
}

/**
 * What the archive holds of an estate, found without asking the estate. Throws CapstanError `archive_empty` (exit 4), and
 * `archive_ambiguous` (exit 2) where several incarnations are there and none is named.
 */
export async function findPlaces(
  store: ArchiveStore,
  estate: string,
  wanted: { readonly incarnation?: string | undefined; readonly shards?: readonly number[] | undefined },
): Promise<ArchivePlaces> {
  const found = (await namesIn(store, `${estate}/`))
    .filter((name) => name.endsWith('/'))
    .map((name) => name.slice(0, -1));
  const incarnations =
    wanted.incarnation === undefined ? found : found.filter((one) => one === wanted.incarnation);
  const [incarnation] = incarnations;
  if (incarnation === undefined) {
    const what = wanted.incarnation === undefined ? '' : `, incarnation ${wanted.incarnation}`;
    throw refusedError(`the archive at ${store.where} holds nothing of estate ${estate}${what}`, {
      code: 'archive_empty',
      next: 'capstan log archive',
    });
  }
  if (incarnations.length > 1) {
    throw usageError(`the archive holds ${incarnations.length} incarnations of estate ${estate}`, {
      code: 'archive_ambiguous',
      next: `name one: --incarnation ${incarnations.join(' | ')}`,
      data: { incarnations },
    });
  }
  const names = await namesIn(store, `${estate}/${incarnation}/`);
  const held = names.map(parseShardFolder).filter((shard) => shard !== undefined);
  const shards = wanted.shards ?? held;
  const absent = shards.filter((shard) => !held.includes(shard));
  if (absent.length > 0) {
    throw refusedError(`the archive holds nothing of shard ${absent.join(', ')}`, {
      code: 'archive_empty',
      next: 'capstan log list',
      data: { shards: absent },
    });
  }
  return { estate, incarnation, shards };
}

async function namesIn(store: ArchiveStore, folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const name of store.list(folder)) names.push(name);
  return names;
}

export const placesOf = ({ estate, incarnation, shards }: ArchivePlaces): readonly ShardPlace[] =>
  shards.map((shard) => ({ estate, incarnation, shard }));
