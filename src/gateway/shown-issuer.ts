import { formatCommitToken } from '../domain/commit-token.ts';
import { tokenAt } from '../domain/lineage.ts';
import type { LineageEntry } from '../domain/shard-log.ts';
import type { IssuerState } from '../reservations/read-issuer.ts';
import type { AnswerFacts } from '../reservations/types.ts';
import type { ReplyHeaders } from './reply-headers.ts';

/** An issuer as somebody showed it, with what proves how far and how old that is. */
export interface ShownIssuer {
  readonly kind: 'shown';
  readonly by: 'leader' | 'follower';
  readonly member: string;
  readonly shard: number;
  readonly generation: number;
  readonly term: number;
  /** Null: can't be told, which is not zero. */
  readonly stalenessMs: number | null;
  readonly position: bigint;
  readonly lineage: readonly LineageEntry[];
  readonly issuer: IssuerState;
  /** Of the leader only. */
  readonly facts?: AnswerFacts;
}

/** Names the state for ever; undefined: nothing was decided in this shard yet. */
export function stateToken({ shard, position, lineage }: ShownIssuer): string | undefined {
  const token = tokenAt(lineage, { shard, position });
  return token === undefined ? undefined : formatCommitToken(token);
}

export function headersOfState(shown: ShownIssuer): ReplyHeaders {
  const token = stateToken(shown);
  return {
    'capstan-member': shown.member,
    'capstan-served-by': `${shown.by} ${shown.member}`,
    'capstan-staleness-ms': shown.stalenessMs === null ? 'unknown' : String(shown.stalenessMs),
    ...(token === undefined ? {} : { 'capstan-position': token }),
  };
}
