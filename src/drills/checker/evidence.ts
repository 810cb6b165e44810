import { formatCommitToken } from '../../domain/commit-token.ts';
import type { CompletionLine, HistoryLine, InvokeLine, LogLine, Request } from '../history/types.ts';
import { type Amount, amountText } from './amount.ts';
import {
  type Commit,
  type Decision,
  type Entry,
  isRead,
  type Operation,
  type Shard,
  type Shown,
} from './facts.ts';

/** Facts as the lines that they were read from: what proves a violation has to stand on its own. */
const optional = <T, R>(value: T | null, write: (value: T) => R): R | null =>
  value === null ? null : write(value);
const amount = (value: Amount | null): string | null => optional(value, amountText);

export const commitText = (commit: Commit): string =>
  formatCommitToken({ ...commit, position: BigInt(commit.position) });

export function linesOf(...operations: readonly (Operation | null)[]): HistoryLine[] {
  return operations.flatMap((operation) => (operation === null ? [] : operationLines(operation)));
}

function operationLines(operation: Operation): HistoryLine[] {
  const request: Request = {
    process: operation.process,
    action: operation.action,
    issuer: operation.issuer.name,
    token: operation.token?.name ?? null,
    notional: amount(operation.notional),
    limit: amount(operation.limit),
    reservation: operation.reservation,
    desk: operation.desk,
    at_least: optional(operation.atLeast, commitText),
    ...(operation.maxStalenessMs === null ? {} : { max_staleness_ms: operation.maxStalenessMs }),
    via: operation.via,
  };
  const invoke: InvokeLine = { i: operation.invokeI, t: operation.invokeT, kind: 'invoke', ...request };
  if (operation.answerI === Infinity) return [invoke];
  const completion: CompletionLine = {
    i: operation.answerI,
    t: operation.answerT,
    kind: operation.kind,
    ...request,
    result: optional(operation.decision, decisionOf) ?? optional(operation.shown, shownOf),
    as_of: operation.asOf,
    http: operation.http,
    code: operation.code,
  };
  return [invoke, completion];
}

const decisionOf = (decision: Decision) => ({
  outcome: decision.outcome,
  reason: decision.reason,
  position: optional(decision.position, String),
  commit_token: optional(decision.commit, commitText),
  reservation: decision.reservation,
  remaining: amount(decision.remaining),
  reserved_after: amount(decision.reservedAfter),
  limit_after: amount(decision.limitAfter),
  replayed: decision.replayed,
  ...(decision.lostBy === null ? {} : { lost_by: decision.lostBy }),
  digest: decision.digest,
});

const shownOf = ({ limit, reserved, openCount, open }: Shown) => ({
  limit: amount(limit),
  reserved: amount(reserved),
  open_count: openCount,
  open: optional(open, (map) => Object.fromEntries([...map].map(([id, each]) => [id, amountText(each)]))),
});

/** The log line, or the answers that the entry was made of. */
export function linesOfEntry(entry: Entry, shard: Shard | null): HistoryLine[] {
  if (entry.i === 0) {
    const { report, attempts } = entry.token;
    const content = attempts.find(({ action }) => !isRead(action) && action !== 'resolve') ?? null;
    return linesOf(report, content);
  }
  const line: LogLine = {
    i: entry.i,
    t: entry.t,
    kind: 'log',
    shard: shard?.id ?? 0,
    position: String(entry.position),
    generation: entry.generation ?? 0,
    term: entry.term ?? 0,
    event: entry.event,
    issuer: entry.issuer.name,
    token: entry.token.name,
    reservation: entry.reservation,
    amount: amount(entry.amount),
    reserved_after: amount(entry.reservedAfter),
    limit_after: amount(entry.limitAfter),
  };
  return [line];
}

/** What shows that a shard's log was read back, and how far. */
export function readBackLines(shard: Shard): HistoryLine[] {
  if (shard.head !== null) return [shard.head];
  const last = shard.log.at(-1);
  return last === undefined ? [] : linesOfEntry(last, shard);
}

export const shardName = ({ id }: Shard): string => (id === null ? 'the log' : `shard ${id}`);
export const tokenName = ({ token, issuer }: Operation): string => `${issuer.name}/${token?.name ?? '-'}`;
/** `new-york reported ACME/tok-7 confirmed at 12`. */
export function reported(operation: Operation): string {
  const { decision, via } = operation;
  const where =
    decision?.commit !== null && decision?.commit !== undefined
      ? ` as ${commitText(decision.commit)}`
      : decision?.position === null || decision?.position === undefined
        ? ''
        : ` at ${decision.position}`;
  return `${via} reported ${tokenName(operation)} ${decision?.outcome ?? operation.kind}${where}`;
}
