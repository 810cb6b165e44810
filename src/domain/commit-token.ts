import { usageError } from './errors.ts';
import type { ShardId } from './shard.ts';

/** Names one decided command for ever: its position in its shard, and the authority that decided it. */
export interface CommitToken {
  readonly shard: ShardId;
  readonly position: bigint;
  readonly generation: number;
  readonly term: number;
}

const PATTERN = /^shard(0|[1-9]\d{0,8})@([1-9]\d{0,18})~([1-9]\d{0,8})\.([1-9]\d{0,8})$/;

/** `shard184@982441~7.3`: position 982441 of shard 184, decided under generation 7, term 3. */
export function formatCommitToken(token: CommitToken): string {
  return `shard${token.shard}@${token.position}~${token.generation}.${token.term}`;
}

/** Reads a commit token; refuses any other spelling (code `commit_token_invalid`). */
export function parseCommitToken(text: string): CommitToken {
  const match = PATTERN.exec(text);
  const [, shard, position, generation, term] = match ?? [];
  if (shard === undefined || position === undefined || generation === undefined || term === undefined) {
    throw usageError(`not a commit token: ${JSON.stringify(text.slice(0, 80))}`, {
      code: 'commit_token_invalid',
      next: 'a commit token reads shard<N>@<position>~<generation>.<term>, for example shard184@982441~7.3',
    });
  }
  return {
    shard: Number(shard),
    position: BigInt(position),
    generation: Number(generation),
    term: Number(term),
  };
}
