import { formatCommitToken } from '../../../domain/commit-token.ts';
import { formatAmount } from '../../../domain/money.ts';
import {
  type DecideResult,
  isRefusedCommand,
  type Outcome,
  type ReserveCommand,
  type SetLimitCommand,
} from '../../../reservations/types.ts';
import type { DecisionResult, Request } from '../../history/types.ts';

export type Sent = ReserveCommand | SetLimitCommand;

/** A command that goes to a member directly, as the history tells of it. */
export function requestOf(about: {
  readonly command: Sent;
  readonly process: string;
  readonly via: string;
}): Request {
  const { command, process, via } = about;
  const { issuer, token, desk } = command;
  const common = { process, issuer, token, desk, via };
  return command.kind === 'reserve'
    ? { ...common, action: 'reserve', notional: formatAmount(BigInt(command.notional)), reservation: null }
    : { ...common, action: 'set-limit', limit: formatAmount(BigInt(command.limit)) };
}

interface Completion {
  readonly kind: 'ok' | 'fail' | 'info';
  readonly result: DecisionResult | null;
  readonly code: string | null;
}

/** What the reply says: a refusal promises that there was no effect, anything unclear promises nothing. */
export function completionOf(result: DecideResult): Completion {
  if (result.kind === 'refused') return { kind: 'fail', result: null, code: result.reason };
  if (result.kind === 'unknown') return { kind: 'info', result: null, code: result.why };
  const [first] = result.outcomes;
  if (first === undefined) return { kind: 'info', result: null, code: 'no_outcome' };
  if (isRefusedCommand(first)) return { kind: 'fail', result: null, code: first.refused };
  return { kind: 'ok', result: resultOf(first, result.shard), code: null };
}

const amount = (cents: string | null): string | null => (cents === null ? null : formatAmount(BigInt(cents)));

const resultOf = (outcome: Outcome, shard: number): DecisionResult => ({
  outcome: outcome.outcome,
  reason: outcome.reason,
  position: outcome.position,
  commit_token: formatCommitToken({
    shard,
    position: BigInt(outcome.position),
    generation: outcome.generation,
    term: outcome.term,
  }),
  reservation: outcome.reservation,
  remaining: amount(outcome.remaining),
  reserved_after: amount(outcome.reserved_after),
  limit_after: amount(outcome.limit_after),
  replayed: outcome.replayed,
  digest: null,
});
