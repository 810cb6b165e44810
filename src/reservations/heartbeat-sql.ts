import { escapeLiteral } from 'pg';
import { ask, type AskClient, type AskOptions } from './ask.ts';
import type { ClusterScope } from './read-log.ts';
import type { Refused, Unknown } from './types.ts';

/** What the first half of a heartbeat found: all that was confirmed before `at` is at or below these heads, or those beaten before. */
export interface HeadsRead {
  readonly kind: 'read';
  /** Null: nothing has moved since the last beat, and none was due. Nothing was written then. */
  readonly at: string | null;
  /** The beat that it found; `0`: none. */
  readonly beat: string;
  /** Shard, generation, position: only those that the last beat doesn't have. */
  readonly heads: readonly (readonly [number, number, string])[];
}

/**
 * Looks for heads that have moved since the last beat and, if there are any or `due`, waits until the recorded followers have
 * flushed them. Only `read` is a proof: a wait that was cancelled is `unknown`. Never throws.
 */
export async function readHeadsToBeat(
  client: AskClient,
  scope: ClusterScope,
  { due }: { readonly due: boolean },
  options: AskOptions,
): Promise<HeadsRead | Refused | Unknown> {
  const sql = `select capstan.read_heads(${scopeOf(scope)}, ${due})::text as answer`;
  const reply = await ask<Omit<HeadsRead, 'kind'> & Timed>(client, sql, options);
  return reply.kind === 'answered' ? { kind: 'read', ...reply.answer } : reply;
}

interface Timed {
  readonly left_ms?: number;
}

/** Writes the heartbeat; `overtaken`: another came since the heads were read, and nothing was written. Never throws. */
export async function beat(
  client: AskClient,
  scope: ClusterScope,
  read: HeadsRead & { readonly at: string },
  options: AskOptions,
): Promise<{ readonly kind: 'beaten' | 'overtaken' } | Refused | Unknown> {
  const heads = `${escapeLiteral(JSON.stringify(read.heads))}::jsonb`;
  const args = [
    scopeOf(scope),
    `${escapeLiteral(read.beat)}::bigint`,
    `${escapeLiteral(read.at)}::timestamptz`,
    heads,
  ];
  const sql = `select pg_catalog.json_build_object('kind', capstan.beat(${args.join(', ')}))::text as answer`;
  const reply = await ask<{ readonly kind: 'beaten' | 'overtaken' } & Timed>(client, sql, options);
  return reply.kind === 'answered' ? { kind: reply.answer.kind } : reply;
}

const scopeOf = ({ cluster, epoch, term }: ClusterScope): string =>
  `${escapeLiteral(cluster)}, ${epoch}, ${term}`;
