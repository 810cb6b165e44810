import { canonicalEntry } from '../domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';
import type { ArchiveHead } from './head.ts';
import { compareLineages, inOrder } from './lineage.ts';

export type Judged =
  | { readonly kind: 'follows' }
  /** The source knows less than the archive. */
  | { readonly kind: 'behind'; readonly why: string }
  /** From `from` on the archive holds what a failover lost. */
  | { readonly kind: 'forked'; readonly from: bigint; readonly by: LineageEntry }
  | { readonly kind: 'conflict'; readonly why: string };

/** Whether an answer that was asked from the head's position follows on it; src/archive/SPEC.md has the table. */
export function judgeLog(head: ArchiveHead | undefined, log: ShardLog): Judged {
  if (head === undefined) return { kind: 'follows' };
  const position = BigInt(head.position);
  const compared = compareLineages(head.lineage, inOrder(log.lineage));
  if (compared.kind === 'older')
    return {
      kind: 'conflict',
      why: 'the lineage here contradicts the archived one, and is not the later one',
    };
  if (compared.kind === 'behind')
    return { kind: 'behind', why: 'the last authority that the archive knows is not known here' };
  if (compared.kind === 'newer' && compared.from <= position) {
    if (BigInt(log.bound) < compared.from - 1n)
      return { kind: 'behind', why: `position ${compared.from - 1n} is not confirmed here yet` };
    return { kind: 'forked', from: compared.from, by: compared.authority };
  }
  if (BigInt(log.head) < position || BigInt(log.bound) < position)
    return { kind: 'behind', why: `position ${head.position} is not confirmed here yet` };
  if (position === 0n) return { kind: 'follows' };
  if (log.previous === null || canonicalEntry(log.previous) !== head.last_entry)
    return {
      kind: 'conflict',
      why: `the entry at position ${head.position} is another one than was archived`,
    };
  return { kind: 'follows' };
}
