import { isDamaged, listHeads, type NamedHead, readHead } from './head.ts';
import type { ShardPlace } from './keys.ts';
import type { ArchiveProblem } from './problems.ts';
import type { ArchiveStore } from './store.ts';

/** The newest head that can be read, and what is wrong with any of them: each is read, and each that one names must be there. */
export async function verifyHeads(
  store: ArchiveStore,
  place: ShardPlace,
): Promise<{ readonly newest: NamedHead | undefined; readonly problems: readonly ArchiveProblem[] }> {
  const { shard } = place;
  const problems: ArchiveProblem[] = [];
  const names = new Set((await listHeads(store, place)).map(({ name }) => name));
  let newest: NamedHead | undefined;
  const missing = new Set<string>();
  for (const name of names) {
    const read = await readHead(store, place, name);
    if (isDamaged(read)) {
      problems.push({ shard, problem: 'head_damaged', object: name, position: null, why: read.damage });
      continue;
    }
    newest = read;
    const { previous } = read.head;
    if (previous !== null && !names.has(previous)) missing.add(previous);
  }
  for (const name of missing)
    problems.push({
      shard,
      problem: 'head_missing',
      object: name,
      position: null,
      why: 'another head followed it',
    });
  return { newest, problems };
}
