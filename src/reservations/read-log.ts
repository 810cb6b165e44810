import { escapeLiteral } from 'pg';
import type { ShardLog } from '../domain/shard-log.ts';
import type { ShardId } from '../domain/shard.ts';
import { fenceReasonOf, type FenceReason } from '../domain/sqlstate.ts';
import { ask, type AskClient, type AskOptions } from './ask.ts';
import type { Refused, Unknown } from './types.ts';

/** The authority that a caller believes a whole cluster to be under. */
export interface ClusterScope {
  readonly cluster: string;
  readonly epoch: number;
  readonly term: number;
}

export interface LogRequest {
  /** At most as many as `entriesMax`. */
  readonly shards: readonly {
    readonly shard: ShardId;
    readonly generation: number;
    /** The position after which entries are wanted; `0`: from the first on. */
    readonly after: string;
  }[];
  /** Of the whole answer, at most 10,000; shared so that no shard waits for another. */
  readonly entriesMax: number;
}

/** A shard that this source may not be asked for; others of the same answer are not concerned. */
export interface RefusedShard {
  readonly shard: ShardId;
  readonly reason: FenceReason | 'unknown';
  readonly sqlState: string;
}

/** One snapshot of one member. */
export interface LogAnswer {
  readonly kind: 'read';
  /** A follower's heartbeat, the leader's own moment; null: none was ever beaten. Each shard says whether it is vouched for. */
  readonly at: string | null;
  readonly beat: string | null;
  readonly elapsedMs: number;
  readonly logs: readonly ShardLog[];
  readonly refused: readonly RefusedShard[];
}
export type LogResult = LogAnswer | Refused | Unknown;

interface Wire {
  readonly at: string | null;
  readonly beat: string | null;
  readonly left_ms?: number;
  readonly shards: readonly (
    | { readonly shard: ShardId; readonly refused: string }
    | ({ readonly refused: null } & ShardLog)
  )[];
}

/**
 * The log as a member that follows shows it, each shard up to its bound. `soleVoter`: the membership of this epoch records
 * this member as its only voter; only then may it be quoted up to its head. Never throws.
 */
export function readLog(
  client: AskClient,
  scope: ClusterScope,
  request: LogRequest & { readonly soleVoter: boolean },
  options: AskOptions,
): Promise<LogResult> {
  return readFrom(client, call('read_log', scope, request, [String(request.soleVoter)]), options);
}

/** The log as its leader shows it, once the recorded followers have flushed what that is. Never throws. */
export function readLogAtLeader(
  client: AskClient,
  scope: ClusterScope,
  request: LogRequest,
  options: AskOptions,
): Promise<LogResult> {
  return readFrom(client, call('read_log_at_leader', scope, request, []), options);
}

async function readFrom(client: AskClient, sql: string, options: AskOptions): Promise<LogResult> {
  const reply = await ask<Wire>(client, sql, options);
  if (reply.kind !== 'answered') return reply;
  const { at, beat, shards } = reply.answer;
  const logs: ShardLog[] = [];
  const refused: RefusedShard[] = [];
  for (const answer of shards) {
    if (answer.refused === null) {
      const { refused: _refused, ...log } = answer;
      logs.push(log);
    } else {
      const sqlState = answer.refused;
      refused.push({ shard: answer.shard, reason: fenceReasonOf(sqlState) ?? 'unknown', sqlState });
    }
  }
  return { kind: 'read', at, beat, elapsedMs: reply.elapsedMs, logs, refused };
}

function call(name: string, scope: ClusterScope, request: LogRequest, args: readonly string[]): string {
  const { cluster, epoch, term } = scope;
  const { shards, entriesMax } = request;
  const lists = [
    `${list(shards.map(({ shard }) => shard))}::integer[]`,
    `${list(shards.map(({ generation }) => generation))}::integer[]`,
    `${list(shards.map(({ after }) => after))}::bigint[]`,
  ];
  const all = [escapeLiteral(cluster), ...[epoch, term].map(whole), ...lists, whole(entriesMax), ...args];
  return `select capstan.${name}(${all.join(', ')})::text as answer`;
}

const list = (values: readonly (number | string)[]): string => `'{${values.map(whole).join(',')}}'`;

function whole(value: number | string): string {
  const text = String(value);
  if (!/^\d+$/.test(text)) throw new RangeError(`not a whole number: ${text}`);
  return text;
}
