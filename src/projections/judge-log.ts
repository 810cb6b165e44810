import { canonicalEntry, type LogEntry } from '../domain/log-entry.ts';
import type { LineageEntry, ShardLog } from '../domain/shard-log.ts';
import type { Applied } from './store-port.ts';

/** Where a shard's rows stand: the last applied entry, and who decided it. */
export interface Standing {
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  /** Canonical; null at position 0. */
  readonly lastEntry: string | null;
}

export type Judgement =
  | { readonly kind: 'follows'; readonly entries: readonly LogEntry[]; readonly repeats: number }
  | Exclude<Applied, { kind: 'applied' | 'paused' | 'rebuild' }>;

/** Whether what a source answered follows on a watermark (the table in SPEC.md). Pure. */
export function judgeLog(at: Standing, log: ShardLog): Judgement {
  const position = BigInt(at.position);
  if (position > 0n) {
    const strange = strangeLineage(at, log.lineage);
    if (strange !== undefined) return strange;
    const held = heldAt(at.position, log);
    if (held !== undefined && canonicalEntry(held) !== at.lastEntry) {
      return { kind: 'forked', why: `position ${at.position} holds another decision at the source` };
    }
    if (BigInt(log.head) < position) {
      return { kind: 'behind', why: `the source's head is ${log.head}, the watermark ${at.position}` };
    }
  }
  const entries = log.entries.filter((entry) => BigInt(entry.position) > position);
  let next = position;
  for (const entry of entries) {
    next += 1n;
    if (BigInt(entry.position) !== next) {
      return { kind: 'gap', why: `position ${entry.position} came where ${next} was due` };
    }
  }
  return { kind: 'follows', entries, repeats: log.entries.length - entries.length };
}

/** Which authority decided a position: the latest that began at or before it; what earlier ones decided there was lost. */
export function ownerAt(lineage: readonly LineageEntry[], position: bigint): LineageEntry | undefined {
  let owner: LineageEntry | undefined;
  for (const row of lineage) {
    if (BigInt(row.first_position) <= position && (owner === undefined || isLater(row, owner))) owner = row;
  }
  return owner;
}

type Authority = Pick<LineageEntry, 'generation' | 'term'>;

const isLater = (one: Authority, other: Authority): boolean =>
  one.generation === other.generation ? one.term > other.term : one.generation > other.generation;

function strangeLineage(at: Standing, lineage: readonly LineageEntry[]): Judgement | undefined {
  const name = `generation ${at.generation}, term ${at.term}`;
  if (lineage.every((row) => isLater(at, row))) {
    return { kind: 'behind', why: `the source's lineage doesn't reach ${name}` };
  }
  const owner = ownerAt(lineage, BigInt(at.position));
  if (owner?.generation === at.generation && owner.term === at.term) return undefined;
  return {
    kind: 'forked',
    why:
      owner === undefined
        ? `the lineage begins after position ${at.position}`
        : `position ${at.position} was decided under ${name}; by the lineage it belongs to generation ${owner.generation}, term ${owner.term}`,
  };
}

function heldAt(position: string, log: ShardLog): LogEntry | undefined {
  if (log.previous?.position === position) return log.previous;
  return log.entries.find((entry) => entry.position === position);
}
