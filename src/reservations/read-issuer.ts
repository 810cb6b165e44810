import { escapeLiteral } from 'pg';
import type { LineageEntry } from '../domain/shard-log.ts';
import { ask, type AskClient, type AskOptions } from './ask.ts';
import type { AnswerFacts, OpenReservation, Refused, Scope, Unknown } from './types.ts';

/** An issuer as it stood at one position of its shard. Amounts are cents as text. */
export interface IssuerState {
  readonly found: boolean;
  readonly limit: string | null;
  readonly reserved: string | null;
  readonly open_count: number | null;
  /** Of its last change. */
  readonly position: string | null;
  /** Ordered by reservation id, after `after`; empty unless asked for. */
  readonly open: readonly OpenReservation[];
  readonly more: boolean;
}

export interface IssuerRequest {
  readonly issuer: string;
  readonly open?: { readonly after?: string | undefined; readonly limit: number };
  /** The position to show; default: as far as the one who is asked may be quoted. */
  readonly at?: bigint | undefined;
}

interface Shown {
  readonly head_position: string;
  readonly shown_position: string;
  readonly lineage: readonly LineageEntry[];
  readonly issuer: IssuerState;
}

/** One snapshot of a member that follows. */
export interface FollowedIssuer extends Shown {
  readonly kind: 'read';
  readonly bound: string;
  /** All that was confirmed before then is at or below `bound`; null: how old that is can't be told. */
  readonly at: string | null;
}

export interface IssuerAtLeader extends Shown, AnswerFacts {
  readonly kind: 'read';
  readonly elapsedMs: number;
  readonly leader: string;
  /** The shard may have another owner by now. */
  readonly sealed: boolean;
}

/**
 * As a member that follows shows it. `soleVoter`: it is the only member recorded as in sync beside the leader; only then may
 * it be quoted up to its head. Refused with `notConfirmed` when `at` isn't reached, `tooFarBack` when it is too old. Never throws.
 */
export async function followIssuer(
  client: AskClient,
  scope: Scope,
  request: IssuerRequest & { readonly soleVoter: boolean },
  options: AskOptions,
): Promise<FollowedIssuer | Refused | Unknown> {
  const args = [...scopeOf(scope), String(request.soleVoter), ...requestOf(request)];
  const sql = `select capstan.follow_issuer(${args.join(', ')})::text as answer`;
  const reply = await ask<Omit<FollowedIssuer, 'kind'> & { readonly left_ms?: number }>(client, sql, options);
  return reply.kind === 'answered' ? { kind: 'read', ...reply.answer } : reply;
}

/** As the leader shows it, once the recorded followers have flushed what that is. Refuses as `followIssuer` does. Never throws. */
export async function readIssuerAt(
  client: AskClient,
  scope: Scope,
  request: IssuerRequest,
  options: AskOptions,
): Promise<IssuerAtLeader | Refused | Unknown> {
  const args = [...scopeOf(scope), ...requestOf(request)];
  const sql = `select capstan.read_issuer_at(${args.join(', ')})::text as answer`;
  const reply = await ask<Omit<IssuerAtLeader, 'kind' | 'elapsedMs'>>(client, sql, options);
  return reply.kind === 'answered' ? { kind: 'read', elapsedMs: reply.elapsedMs, ...reply.answer } : reply;
}

const scopeOf = ({ cluster, epoch, shard, generation, term }: Scope): string[] => [
  escapeLiteral(cluster),
  ...[epoch, shard, generation, term].map(String),
];

const requestOf = ({ issuer, open, at }: IssuerRequest): string[] => [
  escapeLiteral(issuer),
  String(open !== undefined),
  at === undefined ? 'null' : String(at),
  escapeLiteral(open?.after ?? ''),
  String(open?.limit ?? 0),
];
