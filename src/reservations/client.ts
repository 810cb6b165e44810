import { escapeLiteral } from 'pg';
import { ask, type AskClient, type AskOptions } from './ask.ts';
import type {
  Command,
  DecideAnswer,
  DecideResult,
  FindTokenAnswer,
  FindTokenResult,
  IssuerAnswer,
  ReadIssuerResult,
  ResolveAnswer,
  ResolveResult,
  Scope,
} from './types.ts';

/**
 * Decides a batch in one transaction. `decided` only if the whole reply came within the right that it was given under;
 * `refused` proves that nothing happened; anything else is `unknown`: resolve each token. Never throws.
 */
export async function decide(
  client: AskClient,
  scope: Scope,
  commands: readonly Command[],
  options: AskOptions,
): Promise<DecideResult> {
  const batch = `${escapeLiteral(JSON.stringify(commands))}::jsonb`;
  const reply = await ask<DecideAnswer>(client, call('decide', scope, [batch]), options);
  if (reply.kind !== 'answered') return reply;
  return { kind: 'decided', elapsedMs: reply.elapsedMs, ...reply.answer };
}

/**
 * Asks the shard's authority for a token's outcome. Its transaction waits for the same-region follower, so what it
 * reports is flushed there. `not_found` may still be in flight: only a `settle` command makes it final. Never throws.
 */
export async function resolveToken(
  client: AskClient,
  scope: Scope,
  token: { issuer: string; token: string },
  options: AskOptions,
): Promise<ResolveResult> {
  const args = [escapeLiteral(token.issuer), escapeLiteral(token.token)];
  const reply = await ask<ResolveAnswer>(client, call('resolve', scope, args), options);
  if (reply.kind !== 'answered') return reply;
  return { kind: 'resolved', elapsedMs: reply.elapsedMs, ...reply.answer };
}

/**
 * Looks for a token whose issuer isn't known, in all that one cluster holds; the scope names any shard that it owns. An
 * empty answer means that this cluster had decided no such token; one in flight isn't seen. Never throws.
 */
export async function findToken(
  client: AskClient,
  scope: Scope,
  token: string,
  options: AskOptions,
): Promise<FindTokenResult> {
  const sql = call('find_token', scope, [escapeLiteral(token)]);
  const reply = await ask<FindTokenAnswer>(client, sql, options);
  if (reply.kind !== 'answered') return reply;
  return { kind: 'found', elapsedMs: reply.elapsedMs, ...reply.answer };
}

export interface ReadIssuerRequest {
  readonly issuer: string;
  readonly open?: { readonly after?: string; readonly limit: number };
}

/**
 * An issuer's exposure, and its open reservations when asked for, as the leader shows them. Its transaction waits for the
 * same-region follower; `unknown` (`deadline`) when that takes too long. Never throws.
 */
export async function readIssuer(
  client: AskClient,
  scope: Scope,
  request: ReadIssuerRequest,
  options: AskOptions,
): Promise<ReadIssuerResult> {
  const { issuer, open } = request;
  const args = [
    escapeLiteral(issuer),
    String(open !== undefined),
    escapeLiteral(open?.after ?? ''),
    String(open?.limit ?? 0),
  ];
  const reply = await ask<IssuerAnswer>(client, call('read_issuer', scope, args), options);
  if (reply.kind !== 'answered') return reply;
  return { kind: 'read', elapsedMs: reply.elapsedMs, ...reply.answer };
}

function call(name: string, scope: Scope, args: readonly string[]): string {
  const { cluster, epoch, shard, generation, term } = scope;
  const numbers = [epoch, shard, generation, term].map(wholeNumber);
  return `select capstan.${name}(${[escapeLiteral(cluster), ...numbers, ...args].join(', ')})::text as answer`;
}

function wholeNumber(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
