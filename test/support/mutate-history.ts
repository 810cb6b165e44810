import type {
  CompletionLine,
  DecisionResult,
  HistoryLine,
  LogLine,
  ReadResult,
} from '../../src/drills/history/types.ts';
import { money } from './model-service.ts';

/** One way to spoil a good history; answers undefined where this one has nothing that it could spoil. */
type Mutation = (
  lines: readonly HistoryLine[],
  pick: (length: number) => number,
) => HistoryLine[] | undefined;

const isDecision = (line: HistoryLine): line is CompletionLine & { result: DecisionResult } =>
  line.kind === 'ok' && line.result !== null && 'outcome' in line.result;
const isRead = (line: HistoryLine): line is CompletionLine & { result: ReadResult } =>
  line.kind === 'ok' && line.result !== null && 'open_count' in line.result;
const isLog = (line: HistoryLine): line is LogLine => line.kind === 'log';

function change<T extends HistoryLine>(
  matches: (line: HistoryLine) => line is T,
  make: (line: T, lines: readonly HistoryLine[]) => HistoryLine | undefined,
): Mutation {
  return (lines, pick) => {
    const found = lines.filter(matches);
    const chosen = found[pick(found.length)];
    const changed = chosen === undefined ? undefined : make(chosen, lines);
    return changed === undefined ? undefined : lines.map((line) => (line === chosen ? changed : line));
  };
}

const altered = (
  line: CompletionLine & { result: DecisionResult },
  result: Partial<DecisionResult>,
): CompletionLine => ({
  ...line,
  result: { ...line.result, ...result },
});

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a decision disappears from the log': (lines, pick) => {
    const told = new Set(
      lines
        .filter(isDecision)
        .flatMap(({ issuer, token, result }) =>
          result.outcome === 'not_found' ? [] : [`${issuer}/${token}`],
        ),
    );
    const found = lines.filter(isLog).filter(({ issuer, token }) => told.has(`${issuer}/${token}`));
    const gone = found[pick(found.length)];
    return gone === undefined ? undefined : lines.filter((line) => line !== gone);
  },
  'a confirmation becomes a rejection': change(isDecision, (line) =>
    line.result.outcome === 'confirmed' ? altered(line, { outcome: 'rejected' }) : undefined,
  ),
  'a rejection becomes a confirmation': change(isDecision, (line) =>
    line.result.outcome === 'rejected' ? altered(line, { outcome: 'confirmed' }) : undefined,
  ),
  'what remained is another amount': change(isDecision, (line) =>
    line.result.remaining === null
      ? undefined
      : altered(line, { remaining: money(Math.round(Number(line.result.remaining) * 100) + 100) }),
  ),
  'a term falls': change(isLog, (line) => (line.term > 1 ? { ...line, term: line.term - 1 } : undefined)),
  'an answer names another term': change(isDecision, (line) => {
    const token = line.result.commit_token;
    return token === null ? undefined : altered(line, { commit_token: `${token}9` });
  }),
  'two entries of the log change places': (lines, pick) => {
    const logged = lines.filter(isLog);
    const one = logged[pick(logged.length)];
    const other = logged.find(
      (line) => line.shard === one?.shard && Number(line.position) === Number(one.position) + 1,
    );
    if (one === undefined || other === undefined) return undefined;
    return lines.map((line) =>
      line === one
        ? { ...other, i: one.i, t: one.t, position: one.position }
        : line === other
          ? { ...one, i: other.i, t: other.t, position: other.position }
          : line,
    );
  },
  'a reserve goes over the limit': change(isLog, (line) =>
    line.event === 'reserve_rejected' ? { ...line, event: 'reserved' } : undefined,
  ),
  'a read shows another total': change(isRead, (line) =>
    line.result.reserved === null
      ? undefined
      : { ...line, result: { ...line.result, reserved: money(Number(line.result.reserved) * 100 + 1) } },
  ),
  'a read shows one open reservation too many': change(isRead, (line) =>
    line.result.open_count === null
      ? undefined
      : { ...line, result: { ...line.result, open_count: line.result.open_count + 1, open: null } },
  ),
  'a token is decided twice': (lines, pick) => {
    const logged = lines.filter(isLog);
    const one = logged[pick(logged.length)];
    const other = logged.find((line) => line.shard === one?.shard && line !== one);
    if (one === undefined || other === undefined) return undefined;
    return lines.map((line) => (line === other ? { ...other, issuer: one.issuer, token: one.token } : line));
  },
  'a refusal had an effect': (lines, pick) => {
    const decided = lines.filter(isDecision).filter(({ action, result, token, issuer }) => {
      const others = lines.filter(
        (line) => 'token' in line && line.token === token && line.issuer === issuer,
      );
      return action === 'reserve' && result.outcome === 'confirmed' && others.length === 3;
    });
    const chosen = decided[pick(decided.length)];
    if (chosen === undefined) return undefined;
    return lines.map((line) => (line === chosen ? { ...chosen, kind: 'fail', result: null } : line));
  },
  'a resolution says not found': change(isDecision, (line) =>
    line.action === 'resolve' && line.result.outcome !== 'not_found'
      ? altered(line, {
          outcome: 'not_found',
          position: null,
          commit_token: null,
          reservation: null,
          remaining: null,
        })
      : undefined,
  ),
  'a replay claims to be new': change(isDecision, (line, lines) => {
    const before = lines.some(
      (other) =>
        isDecision(other) &&
        other.i < line.i &&
        other.token === line.token &&
        other.result.replayed === false,
    );
    return line.result.replayed === true && before ? altered(line, { replayed: false }) : undefined;
  }),
};
