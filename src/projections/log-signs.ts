import { canonicalEntry, type LogEntry } from '../domain/log-entry.ts';
import type { ShardId } from '../domain/shard.ts';
import type { ShardLog } from '../domain/shard-log.ts';
import type { Sources } from './sources.ts';

interface AskedWork {
  readonly sources: Sources;
  readonly generations: ReadonlyMap<ShardId, number>;
}

/** The same when the same shards are asked for under the same authorities. */
export const askedOf = ({ sources: { scope }, generations }: AskedWork, shards: readonly ShardId[]): string =>
  `${scope.epoch} ${scope.term} ${shards.map((shard) => `${shard}.${generations.get(shard)}`).join(' ')}`;

/** The same when a shard's log is judged from the same facts: its last entry, and who decided what. */
export const judgementOf = (log: ShardLog, last: LogEntry | null): string =>
  `${last === null ? '' : canonicalEntry(last)} ${log.lineage.map(({ generation, term, first_position: first }) => `${generation}.${term}@${first}`).join(' ')}`;
