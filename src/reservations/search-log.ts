import { escapeLiteral } from 'pg';
import type { LogEntry } from '../domain/log-entry.ts';
import { ask, type AskClient, type AskOptions } from './ask.ts';
import type { ClusterScope } from './read-log.ts';
import type { Refused, Unknown } from './types.ts';

/** What is left out restricts nothing. Amounts in cents, times in ISO 8601. */
export interface LogFilter {
  /** All of them, each anywhere in the decision's text, in any case. */
  readonly words?: readonly string[] | undefined;
  readonly issuer?: string | undefined;
  readonly prefix?: string | undefined;
  readonly part?: string | undefined;
  readonly desk?: string | undefined;
  readonly amount_min?: string | undefined;
  readonly amount_max?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly status?: string | undefined;
  readonly event?: string | undefined;
}

export interface LoggedDecision extends LogEntry {
  readonly shard: number;
  readonly status: 'open' | 'released' | 'rejected' | 'abandoned' | 'final';
  readonly released_position: string | null;
  readonly released_at: string | null;
}

interface Wire {
  readonly left_ms: number;
  readonly leader: string;
  readonly found: readonly LoggedDecision[];
  /** Those that it serves; older positions than `first` weren't looked at. */
  readonly shards: readonly { readonly shard: number; readonly head: string; readonly first: string }[];
}

export type SearchLogResult = ({ readonly kind: 'searched' } & Wire) | Refused | Unknown;

/**
 * The newest decisions of a cluster's shards that pass a filter, as their leader shows them, once the recorded followers have
 * flushed that. Bounded: `scanMax` positions of each shard are looked at, from its head back. Never throws.
 */
export async function searchLog(
  client: AskClient,
  { cluster, epoch, term }: ClusterScope,
  request: {
    readonly shards: readonly number[];
    readonly filter: LogFilter;
    readonly limit: number;
    readonly scanMax: number;
  },
  options: AskOptions,
): Promise<SearchLogResult> {
  const shards = escapeLiteral(`{${request.shards.map(whole).join(',')}}`);
  const args = [
    escapeLiteral(cluster),
    whole(epoch),
    whole(term),
    `${shards}::integer[]`,
    `${escapeLiteral(JSON.stringify(request.filter))}::jsonb`,
    whole(request.limit),
    whole(request.scanMax),
  ];
  const sql = `select capstan.search_log(${args.join(', ')})::text as answer`;
  const reply = await ask<Wire>(client, sql, options);
  return reply.kind === 'answered' ? { kind: 'searched', ...reply.answer } : reply;
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
