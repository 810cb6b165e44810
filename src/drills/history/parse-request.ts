import { parseCommitToken } from '../../domain/commit-token.ts';
import {
  historyInvalid,
  readAmount,
  readCommitToken,
  readObject,
  readOneOf,
  readOptionalNumber,
  readOptionalPosition,
  readOptionalText,
  readOptionalWhole,
  readPosition,
  readText,
  type Row,
} from './fields.ts';
import type { Action, AsOf, CompletionLine, DecisionResult, ReadResult, Request } from './types.ts';

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ...(
    ['reserve', 'release', 'set-limit', 'correct', 'settle', 'resolve', 'read-issuer', 'read-open'] as const
  ).map((action): [string, Action] => [action, action]),
  // The spellings that others are likely to use.
  ['set_limit', 'set-limit'],
  ['read', 'read-issuer'],
  ['read_issuer', 'read-issuer'],
  ['read_open', 'read-open'],
]);
const OUTCOMES = [
  'confirmed',
  'rejected',
  'abandoned',
  'not_found',
  'lost',
] as const satisfies readonly DecisionResult['outcome'][];

export function readRequest(row: Row, line: number): Request {
  const action = ACTIONS.get(String(row['action']));
  if (action === undefined) {
    readOneOf(row, 'action', { line, allowed: [...new Set(ACTIONS.values())] });
    throw historyInvalid(line, 'has a wrong action', 'name an action');
  }
  const isRead = action === 'read-issuer' || action === 'read-open';
  const maxStalenessMs = readOptionalNumber(row, 'max_staleness_ms', line);
  return {
    process: readText(row, 'process', line),
    action,
    issuer: readText(row, 'issuer', line),
    token: isRead ? readOptionalText(row, 'token', line) : readText(row, 'token', line),
    notional: readAmount(row, 'notional', line),
    limit: readAmount(row, 'limit', line),
    reservation: readOptionalText(row, 'reservation', line),
    desk: readOptionalText(row, 'desk', line),
    at_least: readCommitToken(row, 'at_least', line),
    ...(maxStalenessMs === null ? {} : { max_staleness_ms: maxStalenessMs }),
    via: readOptionalText(row, 'via', line) ?? 'unknown',
  };
}

export function readCompletion(
  row: Row,
  kind: CompletionLine['kind'],
  line: number,
): Omit<CompletionLine, 'i' | 't' | 'kind'> {
  const request = readRequest(row, line);
  const { action } = request;
  const isRead = action === 'read-issuer' || action === 'read-open';
  // Only `ok` reports anything: what a refusal or an unknown outcome says besides is no promise.
  const result = kind !== 'ok' ? null : isRead ? readShown(row, line) : readDecision(row, line);
  return {
    ...request,
    result,
    as_of: readAsOf(row, line),
    http: readOptionalWhole(row, 'http', line),
    code: readOptionalText(row, 'code', line),
  };
}

function readDecision(row: Row, line: number): DecisionResult {
  const result = readObject(row['result'], 'result', line);
  const replayed = result['replayed'];
  const lostBy = readOptionalText(result, 'lost_by', line);
  return {
    outcome: readOneOf(result, 'outcome', { line, allowed: OUTCOMES }),
    reason: readOptionalText(result, 'reason', line),
    position: readOptionalPosition(result, 'position', line),
    commit_token: readCommitToken(result, 'commit_token', line),
    reservation: readOptionalText(result, 'reservation', line),
    remaining: readAmount(result, 'remaining', line),
    reserved_after: readAmount(result, 'reserved_after', line),
    limit_after: readAmount(result, 'limit_after', line),
    replayed: typeof replayed === 'boolean' ? replayed : null,
    ...(lostBy === null ? {} : { lost_by: lostBy }),
    digest: readOptionalText(result, 'digest', line),
  };
}

function readShown(row: Row, line: number): ReadResult {
  const result = readObject(row['result'] ?? {}, 'result', line);
  const listed = result['open'];
  const open = listed === undefined || listed === null ? null : readObject(listed, 'open', line);
  for (const reservation of Object.keys(open ?? {})) {
    if (readAmount(open ?? {}, reservation, line) === null) {
      throw historyInvalid(
        line,
        `has no amount for open.${reservation}`,
        'open maps reservation to notional',
      );
    }
  }
  return {
    limit: readAmount(result, 'limit', line) ?? readAmount(result, 'limit_after', line),
    reserved: readAmount(result, 'reserved', line) ?? readAmount(result, 'reserved_after', line),
    open_count: readOptionalWhole(result, 'open_count', line),
    open: open as ReadResult['open'],
  };
}

/** An object; others may write just the position or just the commit token. */
function readAsOf(row: Row, line: number): AsOf | null {
  const value = row['as_of'];
  if (value === undefined || value === null) return null;
  const bare = { shard: null, generation: null, term: null, staleness_ms: null, served_by: null };
  if (typeof value === 'string' && value.startsWith('shard')) {
    const { shard, position, generation, term } = parseCommitToken(
      readCommitToken(row, 'as_of', line) ?? value,
    );
    return { ...bare, shard, position: String(position), generation, term };
  }
  if (typeof value !== 'object') return { ...bare, position: readPosition(row, 'as_of', line) };
  const asOf = readObject(value, 'as_of', line);
  return {
    shard: readOptionalWhole(asOf, 'shard', line),
    position: readPosition(asOf, 'position', line),
    generation: readOptionalWhole(asOf, 'generation', line),
    term: readOptionalWhole(asOf, 'term', line),
    staleness_ms:
      asOf['staleness_ms'] === 'unknown' ? 'unknown' : readOptionalNumber(asOf, 'staleness_ms', line),
    served_by: readOptionalText(asOf, 'served_by', line),
  };
}
