/** Short spellings of commands and of what they came to, for tests that talk to Postgres directly. */
import type { ClientBase } from 'pg';
import { decide } from '../../src/reservations/client.ts';
import { bodyHash, defaultReservationId } from '../../src/reservations/hash.ts';
import {
  type Command,
  type Decided,
  isRefusedCommand,
  type Outcome,
  type Scope,
} from '../../src/reservations/types.ts';

export const ISSUER = 'MUNI-77';
const DESK = 'desk-1';
const DEADLINE_MS = 10_000;

interface Where {
  readonly issuer?: string;
  readonly desk?: string;
}

export function reserve(
  token: string,
  notional: bigint,
  where: Where & { reservation?: string } = {},
): Command {
  const { issuer = ISSUER, desk = DESK } = where;
  const reservation = where.reservation ?? defaultReservationId(issuer, token);
  const body = { kind: 'reserve', notional, reservation: where.reservation ?? null } as const;
  return {
    kind: 'reserve',
    issuer,
    token,
    desk,
    hash: bodyHash({ issuer, desk, body }),
    reservation,
    notional: String(notional),
  };
}

export function release(token: string, reservation: string, where: Where = {}): Command {
  const { issuer = ISSUER, desk = DESK } = where;
  const body = { kind: 'release', reservation } as const;
  return { kind: 'release', issuer, token, desk, hash: bodyHash({ issuer, desk, body }), reservation };
}

export function setLimit(token: string, limit: bigint, where: Where = {}): Command {
  const { issuer = ISSUER, desk = 'operator' } = where;
  const body = { kind: 'set-limit', limit } as const;
  return {
    kind: 'set-limit',
    issuer,
    token,
    desk,
    hash: bodyHash({ issuer, desk, body }),
    limit: String(limit),
  };
}

export function correct(token: string, limit: bigint, reason: string, where: Where = {}): Command {
  const { issuer = ISSUER, desk = 'operator' } = where;
  const body = { kind: 'correct', limit, reason } as const;
  const hash = bodyHash({ issuer, desk, body });
  return { kind: 'correct', issuer, token, desk, hash, limit: String(limit), reason };
}

export function settle(token: string, where: Where = {}): Command {
  const { issuer = ISSUER, desk = 'operator' } = where;
  return { kind: 'settle', issuer, token, desk };
}

/** Decides and demands a decision. */
export async function decided(client: ClientBase, scope: Scope, ...commands: Command[]): Promise<Decided> {
  const result = await decide(client, scope, commands, { deadlineMs: DEADLINE_MS });
  if (result.kind !== 'decided') throw new Error(`not decided: ${JSON.stringify(result)}`);
  return result;
}

/** One line an outcome: `confirmed@2`, `rejected@3 insufficient_headroom`, `confirmed@2 replayed`, `refused token_reused`. */
export function brief(result: Decided): string[] {
  return result.outcomes.map((outcome) => {
    if (isRefusedCommand(outcome)) return `refused ${outcome.refused}`;
    const parts = [`${outcome.outcome}@${outcome.position}`];
    if (outcome.reason !== null) parts.push(outcome.reason);
    if (outcome.replayed) parts.push('replayed');
    return parts.join(' ');
  });
}

/** The outcomes that took effect, for assertions on amounts. */
export const outcomesOf = (result: Decided): Outcome[] =>
  result.outcomes.flatMap((outcome) => (isRefusedCommand(outcome) ? [] : [outcome]));
