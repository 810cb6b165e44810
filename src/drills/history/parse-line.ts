import { assertNever } from '../../domain/errors.ts';
import {
  historyInvalid,
  readAmount,
  readCommitToken,
  readNumber,
  readObject,
  readOneOf,
  readOptionalNumber,
  readOptionalText,
  readOptionalWhole,
  readPosition,
  readText,
  readWhole,
  type Row,
} from './fields.ts';
import { readCompletion, readRequest } from './parse-request.ts';
import type { HeaderLine, HistoryLine, LogLine, LossLine } from './types.ts';

const KINDS = [
  'invoke',
  'ok',
  'info',
  'fail',
  'log',
  'header',
  'fault',
  'authority',
  'base',
  'head',
  'lineage',
  'lost',
  'loss',
  'isolated',
] as const satisfies readonly HistoryLine['kind'][];
const EVENTS = [
  'reserved',
  'reserve_rejected',
  'released',
  'release_rejected',
  'limit_set',
  'corrected',
  'abandoned',
] as const satisfies readonly LogLine['event'][];

/** One line of a history, checked by hand: a schema library would take ten times as long. Throws `history_invalid`. */
export function parseHistoryLine(text: string, line: number): HistoryLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw historyInvalid(line, `is not JSON: ${text.slice(0, 60)}`, 'write one JSON object a line');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw historyInvalid(line, 'is not an object', 'write one JSON object a line');
  }
  const row = value as Row;
  const i = readWhole(row, 'i', line);
  const t = readNumber(row, 't', line);
  const kind = readOneOf(row, 'kind', { line, allowed: KINDS });
  switch (kind) {
    case 'invoke':
      return { i, t, kind, ...readRequest(row, line) };
    case 'ok':
    case 'fail':
    case 'info':
      return { i, t, kind, ...readCompletion(row, kind, line) };
    case 'log':
      return { i, t, kind, ...readLog(row, line) };
    case 'header':
      return { i, t, kind, ...readHeader(row, line) };
    case 'fault':
      return {
        i,
        t,
        kind,
        phase: readOneOf(row, 'phase', { line, allowed: ['began', 'healed', 'failed'] }),
        fault: readText(row, 'fault', line),
        target: readText(row, 'target', line),
        detail: readObject(row['detail'] ?? {}, 'detail', line),
      };
    case 'authority':
      return {
        i,
        t,
        kind,
        asked_t: readNumber(row, 'asked_t', line),
        cluster: readText(row, 'cluster', line),
        member: readText(row, 'member', line),
        term: readWhole(row, 'term', line),
      };
    case 'base':
      return {
        i,
        t,
        kind,
        shard: readWhole(row, 'shard', line),
        position: readPosition(row, 'position', line),
      };
    case 'head':
      return {
        i,
        t,
        kind,
        shard: readWhole(row, 'shard', line),
        cluster: readText(row, 'cluster', line),
        position: readPosition(row, 'position', line),
      };
    case 'lineage':
      return {
        i,
        t,
        kind,
        shard: readWhole(row, 'shard', line),
        generation: readWhole(row, 'generation', line),
        term: readWhole(row, 'term', line),
        first_position: readPosition(row, 'first_position', line),
        cluster: readText(row, 'cluster', line),
        reason: readOptionalText(row, 'reason', line) ?? '',
      };
    case 'lost':
      return {
        i,
        t,
        kind,
        issuer: readText(row, 'issuer', line),
        token: readText(row, 'token', line),
        commit_token: readCommitToken(row, 'commit_token', line) ?? readText(row, 'commit_token', line),
        operation: readOptionalText(row, 'operation', line) ?? '',
      };
    case 'loss':
      return { i, t, kind, ...readLoss(row, line) };
    case 'isolated':
      return {
        i,
        t,
        kind,
        phase: readOneOf(row, 'phase', { line, allowed: ['began', 'ended'] }),
        cluster: readText(row, 'cluster', line),
        member: readText(row, 'member', line),
        term: readWhole(row, 'term', line),
      };
    default:
      return assertNever(kind);
  }
}

const readLog = (row: Row, line: number): Omit<LogLine, 'i' | 't' | 'kind'> => ({
  shard: readWhole(row, 'shard', line),
  position: readPosition(row, 'position', line),
  generation: readWhole(row, 'generation', line),
  term: readWhole(row, 'term', line),
  event: readOneOf(row, 'event', { line, allowed: EVENTS }),
  issuer: readText(row, 'issuer', line),
  token: readText(row, 'token', line),
  reservation: readOptionalText(row, 'reservation', line),
  amount: readAmount(row, 'amount', line),
  reserved_after: readAmount(row, 'reserved_after', line),
  limit_after: readAmount(row, 'limit_after', line),
});

const readLoss = (row: Row, line: number): Omit<LossLine, 'i' | 't' | 'kind'> => ({
  cluster: readText(row, 'cluster', line),
  operation: readText(row, 'operation', line),
  former_term: readWhole(row, 'former_term', line),
  forecast: readOptionalWhole(row, 'forecast', line),
  exposure_ms: readOptionalNumber(row, 'exposure_ms', line),
  budget_ms: readNumber(row, 'budget_ms', line),
  accepted: readOptionalWhole(row, 'accepted', line),
  allowed: readWhole(row, 'allowed', line),
  lost: readOptionalWhole(row, 'lost', line),
});

function readHeader(row: Row, line: number): Omit<HeaderLine, 'i' | 't' | 'kind'> {
  const ttl = row['leaseTtlMs'];
  return {
    format: readOneOf(row, 'format', { line, allowed: ['capstan-history/1'] }),
    drill: readOptionalText(row, 'drill', line),
    seed: row['seed'] === undefined || row['seed'] === null ? null : readNumber(row, 'seed', line),
    version: readOptionalText(row, 'version', line) ?? 'unknown',
    startedAt: readOptionalText(row, 'startedAt', line) ?? '',
    shardCount: readOptionalWhole(row, 'shardCount', line),
    leaseTtlMs: ttl === undefined || ttl === null ? null : readNumber(row, 'leaseTtlMs', line),
    options: readObject(row['options'] ?? {}, 'options', line),
  };
}
