import type {
  AsOf,
  CompletionLine,
  DecisionResult,
  HistoryEntry,
  HistoryLine,
  LogLine,
  ReadResult,
  Request,
} from '../../src/drills/history/types.ts';

/** Small histories as data: what is not said is ordinary. All are of issuer ACME, whose log is shard 2. */
type Call = Partial<Request> & Pick<Request, 'action'>;

const requestOf = (process: string, call: Call): Request => ({
  process,
  issuer: 'ACME',
  token: null,
  notional: null,
  limit: null,
  reservation: null,
  desk: null,
  at_least: null,
  via: 'madrid',
  ...call,
});

const NOTHING: DecisionResult = {
  outcome: 'confirmed',
  reason: null,
  position: null,
  commit_token: null,
  reservation: null,
  remaining: null,
  reserved_after: null,
  limit_after: null,
  replayed: null,
  digest: null,
};

interface Completion {
  readonly kind?: CompletionLine['kind'];
  readonly result?: CompletionLine['result'];
  readonly as_of?: AsOf | null;
  readonly code?: string | null;
}

/** A decision at a position, with its commit token under generation 1. */
export function at(
  position: number,
  change: Partial<DecisionResult> & { readonly term?: number } = {},
): Completion {
  const { term = 1, ...said } = change;
  const commit_token = `shard2@${position}~1.${term}`;
  return { result: { ...NOTHING, position: String(position), commit_token, ...said } };
}
export const notFound: Completion = { result: { ...NOTHING, outcome: 'not_found' } };
export const info: Completion = { kind: 'info', code: 'UND_ERR_SOCKET' };
export const fail: Completion = { kind: 'fail', code: 'lease_lapsed' };

export function shows(position: number, result: Partial<ReadResult>, asOf: Partial<AsOf> = {}): Completion {
  return {
    result: { limit: null, reserved: null, open_count: null, open: null, ...result },
    as_of: {
      shard: 2,
      position: String(position),
      generation: 1,
      term: 1,
      staleness_ms: null,
      served_by: null,
      ...asOf,
    },
  };
}

export const setLimit = (token: string, limit: string): Call => ({ action: 'set-limit', token, limit });
export const reserve = (token: string, notional: string): Call => ({
  action: 'reserve',
  token,
  notional,
  reservation: `res-${token}`,
});
export const release = (token: string, reservation: string): Call => ({
  action: 'release',
  token,
  reservation,
});
export const resolve = (token: string): Call => ({ action: 'resolve', token });
export const read: Call = { action: 'read-issuer' };

export function log(position: number, entry: Partial<LogLine>): HistoryEntry {
  return {
    kind: 'log',
    shard: 2,
    position: String(position),
    generation: 1,
    term: 1,
    event: 'reserved',
    issuer: 'ACME',
    token: `tok-${position}`,
    reservation: null,
    amount: null,
    reserved_after: null,
    limit_after: null,
    ...entry,
  };
}
export const head = (position: number): HistoryEntry => ({
  kind: 'head',
  shard: 2,
  cluster: 'c1',
  position: String(position),
});
export const base = (position: number): HistoryEntry => ({
  kind: 'base',
  shard: 2,
  position: String(position),
});
export const lineage = (term: number, first: number): HistoryEntry => ({
  kind: 'lineage',
  shard: 2,
  generation: 1,
  term,
  first_position: String(first),
  cluster: 'c1',
  reason: 'failover',
});

/** Asks now; the answer comes where `answers` stands. */
export interface Asking {
  readonly asks: Call;
  readonly by: string;
}
export interface Answering {
  readonly answers: Completion;
  readonly to: string;
}
export const asks = (by: string, call: Call): Asking => ({ asks: call, by });
export const answers = (to: string, completion: Completion): Answering => ({ answers: completion, to });
/** Asked and answered with nothing in between. */
export const does = (by: string, call: Call, completion: Completion): readonly [Asking, Answering] => [
  asks(by, call),
  answers(by, completion),
];

type Step = HistoryEntry | Asking | Answering | { readonly at: number } | readonly [Asking, Answering];

/** What most histories begin with: a limit of 100.00 at position 1. */
export const LIMIT_100 = does(
  'op',
  setLimit('lim', '100.00'),
  at(1, { reserved_after: '0.00', limit_after: '100.00' }),
);

/** Numbers and times the steps, 10 ms apart; `{at}` sets the clock on. */
export function history(...steps: readonly Step[]): HistoryLine[] {
  const lines: HistoryLine[] = [];
  const pending = new Map<string, Request>();
  let t = 0;
  const put = (entry: HistoryEntry): void => {
    t += 10;
    lines.push({ i: lines.length + 1, t, ...entry });
  };
  for (const step of steps.flatMap((each): Exclude<Step, readonly unknown[]>[] =>
    'length' in each ? [...each] : [each],
  )) {
    if ('asks' in step) {
      const request = requestOf(step.by, step.asks);
      pending.set(step.by, request);
      put({ kind: 'invoke', ...request });
    } else if ('answers' in step) {
      const request = pending.get(step.to);
      if (request === undefined) throw new Error(`${step.to} asked for nothing`);
      put({ ...request, kind: 'ok', result: null, as_of: null, http: null, code: null, ...step.answers });
    } else if ('at' in step) {
      t = step.at - 10;
    } else {
      put(step);
    }
  }
  return lines;
}
