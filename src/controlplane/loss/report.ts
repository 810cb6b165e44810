import type { LossChunk, LossRecord, LostDecision } from '../../domain/loss-records.ts';
import type { EtcdReader } from '../../etcd/port.ts';
import type { Keys } from '../keys.ts';
import { rangeRecords } from '../store.ts';

/** How many entries one key holds. */
const CHUNK_ENTRIES = 250;

/**
 * Puts together what each member's salvage found: one entry for each decision, held by whoever held it. It may have been
 * acknowledged when a recorded voter held it, when there was none to wait for, and when a voter's data could not be read. Pure.
 */
export function consolidate(
  record: LossRecord,
  byMember: ReadonlyMap<string, readonly LostDecision[]>,
): readonly LostDecision[] {
  const voters = new Set(record.voters.map(({ member }) => member));
  const unread = Object.entries(record.members).some(
    ([member, { state }]) => state !== 'salvaged' && voters.has(member),
  );
  const merged = new Map<string, LostDecision>();
  for (const entries of byMember.values()) {
    for (const entry of entries) {
      const key = [entry.shard, entry.position, entry.generation, entry.term, entry.issuer, entry.token].join(
        '\0',
      );
      const before = merged.get(key) ?? { ...entry, heldBy: [] };
      merged.set(key, {
        ...before,
        maybeAcknowledged: before.maybeAcknowledged || entry.maybeAcknowledged || unread,
        heldBy: [...new Set([...before.heldBy, ...entry.heldBy])].toSorted(),
      });
    }
  }
  return [...merged.values()].toSorted(inLogOrder);
}

function inLogOrder(a: LostDecision, b: LostDecision): number {
  const byPosition = BigInt(a.position) - BigInt(b.position);
  return a.shard - b.shard || (byPosition === 0n ? 0 : byPosition < 0n ? -1 : 1) || a.term - b.term;
}

/** What has been salvaged of each member so far. */
export async function readSalvages(
  etcd: EtcdReader,
  keys: Keys,
  record: LossRecord,
): Promise<ReadonlyMap<string, readonly LostDecision[]>> {
  const salvaged = Object.entries(record.members).filter(([, { state }]) => state === 'salvaged');
  const read = salvaged.map(async ([member]) => {
    const entries = await readChunks(etcd, keys.salvageChunks(record.operation, member));
    return [member, entries] as const;
  });
  return new Map(await Promise.all(read));
}

/** The report of a signed-off loss. It never changes any more. */
export const readReport = (
  etcd: EtcdReader,
  keys: Keys,
  operation: string,
): Promise<readonly LostDecision[]> => readChunks(etcd, keys.reportChunks(operation));

async function readChunks(etcd: EtcdReader, prefix: string): Promise<readonly LostDecision[]> {
  const { records } = await rangeRecords<LossChunk>(etcd, prefix);
  return [...records.values()].flatMap(({ value }) => value.entries);
}

/** A report's keys and values. The same entries make the same chunks. */
export function chunksOf(
  prefix: string,
  entries: readonly LostDecision[],
): readonly (readonly [string, LossChunk])[] {
  const count = Math.ceil(entries.length / CHUNK_ENTRIES);
  return Array.from({ length: count }, (_, index) => {
    const own = entries.slice(index * CHUNK_ENTRIES, (index + 1) * CHUNK_ENTRIES);
    return [prefix + String(index).padStart(6, '0'), { entries: own }] as const;
  });
}
