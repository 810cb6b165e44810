import type {
  AsOf,
  CompletionLine,
  DecisionResult,
  HistoryEntry,
  HistoryLine,
  ReadResult,
  Request,
} from '../../src/drills/history/types.ts';
import { type Ask, type ModelEntry, ModelShard, money } from './model-service.ts';

/** Each is a share of 1. */
export interface HistoryPlan {
  readonly seed: number;
  readonly operations: number;
  readonly issuers: number;
  readonly shards: number;
  readonly processes: number;
  readonly limit: number;
  /** Requests whose answer is lost; half of them take effect, some much later. */
  readonly unknown?: number;
  readonly refused?: number;
  readonly retry?: number;
  readonly release?: number;
  readonly limits?: number;
  readonly read?: number;
  readonly resolve?: number;
  readonly settle?: number;
  /** How often, a step, the term of a shard rises. */
  readonly failover?: number;
  /** The last failover loses this many positions of its shard. */
  readonly loss?: number;
  /** Requests before the recorder begins: their issuers and positions exist at the base. */
  readonly before?: number;
  readonly readBack?: boolean;
  /** Somebody else's form: no header, no read-back, few fields. */
  readonly minimal?: boolean;
}

interface Client {
  readonly name: string;
  request: Request | null;
  ask: Ask | null;
  answer: Pick<CompletionLine, 'kind' | 'result' | 'as_of'> | null;
  /** What it asked for lately, to be retried or released. */
  readonly asked: Ask[];
}

export function prng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What clients of a correct service see, in any interleaving that the seed draws. Every such history is good. */
export class ModelHistory {
  readonly #plan: HistoryPlan;
  readonly #random: () => number;
  readonly #shards: ModelShard[];
  readonly #clients: Client[];
  /** Requests whose client has given up on them; they may still be carried out. */
  #late: Ask[] = [];
  readonly #open = new Map<string, Ask>();
  readonly #lost: ModelEntry[] = [];
  #tokens = 0;
  #i = 0;
  #t = 0;

  constructor(plan: HistoryPlan) {
    this.#plan = plan;
    this.#random = prng(plan.seed);
    this.#shards = Array.from({ length: plan.shards }, (_, id) => new ModelShard(id));
    this.#clients = this.#freshClients();
  }

  *lines(): Generator<HistoryLine> {
    const { operations, before = 0, minimal = false, readBack = true } = this.#plan;
    for (const _ of this.#run(before)) continue;
    this.#clients.splice(0, Infinity, ...this.#freshClients());
    this.#late = [];
    this.#open.clear();
    this.#i = 0;
    if (!minimal) {
      yield this.#line({
        kind: 'header',
        format: 'capstan-history/1',
        drill: 'model',
        seed: this.#plan.seed,
        version: 'test',
        startedAt: '2026-01-01T00:00:00.000Z',
        shardCount: null,
        leaseTtlMs: 100,
        options: {},
      });
    }
    const bases = this.#shards.map((shard) => shard.position);
    if (readBack && !minimal) {
      for (const shard of this.#shards) {
        yield this.#line({ kind: 'base', shard: shard.id, position: String(shard.position) });
      }
    }
    yield* this.#run(operations);
    yield* this.#rest();
    if (readBack && !minimal) yield* this.#readBack(bases);
  }

  *#run(operations: number): Generator<HistoryLine> {
    const { failover = 0, loss = 0 } = this.#plan;
    let left = operations;
    while (left > 0 || this.#clients.some(({ request }) => request !== null)) {
      const client = this.#pick(this.#clients);
      if (this.#random() < failover) this.#pick(this.#shards).failOver();
      if (loss > 0 && left === operations >> 1) this.#lose(loss);
      if (this.#late.length > 0 && this.#random() < 0.1) {
        const [late] = this.#late.splice(this.#index(this.#late.length), 1);
        if (late !== undefined && this.#random() < 0.5) this.#shardOf(late.issuer).decide(late);
      }
      if (client.request === null) {
        if (left === 0) continue;
        left -= 1;
        yield this.#invoke(client, this.#draw(client));
      } else if (client.answer === null) {
        const completed = this.#serve(client);
        if (completed !== null) yield completed;
      } else {
        yield this.#complete(client, client.answer);
      }
    }
  }

  /** The service works on a request, or its client loses patience first. */
  #serve(client: Client): HistoryLine | null {
    const { unknown = 0, refused = 0 } = this.#plan;
    const { ask, request } = client;
    if (ask === null) {
      client.answer = request === null ? null : this.#look(request);
      return null;
    }
    if (this.#random() < refused) return this.#complete(client, { kind: 'fail', result: null, as_of: null });
    if (this.#random() < unknown) {
      if (this.#random() < 0.3) this.#shardOf(ask.issuer).decide(ask);
      else this.#late.push(ask);
      this.#open.set(`${ask.issuer}/${ask.token}`, ask);
      return this.#complete(client, { kind: 'info', result: null, as_of: null });
    }
    const decided = this.#shardOf(ask.issuer).decide(ask);
    if (decided === null) return this.#complete(client, { kind: 'fail', result: null, as_of: null });
    const result = ask.action === 'settle' ? { ...decided, replayed: null, digest: null } : decided;
    client.answer = { kind: 'ok', result: this.#told(ask, result), as_of: null };
    return null;
  }

  /** Somebody else's service says what is reserved, and nothing of replays. */
  #told(ask: Ask, result: DecisionResult): DecisionResult {
    if (this.#plan.minimal !== true) return result;
    const entry = this.#shardOf(ask.issuer).log[Number(result.position) - 1];
    const reserved = entry?.reservedAfter ?? null;
    return {
      ...result,
      reserved_after: reserved === null ? null : money(reserved),
      reason: null,
      reservation: null,
      remaining: null,
      limit_after: null,
      replayed: null,
      digest: null,
    };
  }

  #look({ action, issuer, token }: Request): Client['answer'] {
    const shard = this.#shardOf(issuer);
    const exposure = shard.exposure(issuer);
    const asOf = (position: number): AsOf => ({
      shard: shard.id,
      position: String(position),
      generation: 1,
      term: shard.term,
      staleness_ms: null,
      served_by: null,
    });
    if (action === 'resolve') {
      const found = shard.find(issuer, token ?? '');
      const result: DecisionResult =
        found === undefined
          ? this.#absent(issuer, token ?? '')
          : { ...found, replayed: null, digest: null, reserved_after: null, limit_after: null };
      return { kind: 'ok', result, as_of: this.#plan.minimal === true ? null : asOf(shard.position) };
    }
    if (exposure === undefined) return { kind: 'fail', result: null, as_of: null };
    const open = Object.fromEntries([...exposure.open].map(([id, amount]) => [id, money(amount)]));
    const result: ReadResult =
      action === 'read-open'
        ? { limit: null, reserved: null, open_count: exposure.open.size, open }
        : {
            limit: money(exposure.limit),
            reserved: money(exposure.reserved),
            open_count: exposure.open.size,
            open: null,
          };
    return {
      kind: 'ok',
      result,
      as_of: asOf(action === 'read-open' ? shard.position : exposure.changedAt),
    };
  }

  #draw(client: Client): Ask | Pick<Request, 'action' | 'issuer' | 'token'> {
    const { retry = 0, release = 0, limits = 0, read = 0, resolve = 0, settle = 0 } = this.#plan;
    const issuer = this.#issuer();
    const earlier = client.asked.length === 0 ? undefined : this.#pick(client.asked);
    const draw = this.#random();
    const parts = [retry, release, limits, read, resolve, settle];
    let part = 0;
    for (let sum = parts[0] ?? 0; part < parts.length && draw >= sum; sum += parts[part] ?? 0) part += 1;
    if (part === 0 && earlier !== undefined) return earlier;
    if (part === 1 && earlier?.action === 'reserve') return this.#ask('release', earlier);
    if (part === 2) return this.#ask('set-limit', { issuer, amount: this.#limit(), reservation: '' });
    if (part === 3) {
      return { action: this.#random() < 0.5 ? 'read-issuer' : 'read-open', issuer, token: null };
    }
    if (part === 4 && earlier !== undefined) {
      return { action: 'resolve', issuer: earlier.issuer, token: earlier.token };
    }
    if (part === 5 && earlier !== undefined) return { ...earlier, action: 'settle' };
    if (this.#shardOf(issuer).exposure(issuer) === undefined) {
      return this.#ask('set-limit', { issuer, amount: this.#limit(), reservation: '' });
    }
    const amount = 1 + this.#index(this.#plan.limit >> 2);
    return this.#ask('reserve', { issuer, amount, reservation: `res-${this.#tokens}` });
  }

  #ask(
    action: Ask['action'],
    { issuer, amount, reservation }: Pick<Ask, 'issuer' | 'amount' | 'reservation'>,
  ): Ask {
    this.#tokens += 1;
    return { action, issuer, token: `tok-${this.#tokens}`, amount, reservation };
  }

  #invoke(client: Client, wanted: Ask | Pick<Request, 'action' | 'issuer' | 'token'>): HistoryLine {
    const ask = 'amount' in wanted ? wanted : null;
    const { action, issuer, token } = wanted;
    if (ask !== null && ask.action !== 'settle') {
      client.asked.push(ask);
      if (client.asked.length > 8) client.asked.shift();
    }
    client.ask = ask;
    client.request = {
      process: client.name,
      action,
      issuer,
      token,
      notional:
        ask?.action === 'reserve' || (this.#plan.minimal === true && ask !== null) ? money(ask.amount) : null,
      limit: ask?.action === 'set-limit' ? money(ask.amount) : null,
      reservation:
        ask === null || this.#plan.minimal === true || ask.reservation === '' ? null : ask.reservation,
      desk: null,
      at_least: null,
      via: 'model',
    };
    return this.#line({ kind: 'invoke', ...client.request });
  }

  #complete(client: Client, answer: NonNullable<Client['answer']>): HistoryLine {
    const { request } = client;
    if (request === null) throw new Error('nothing was asked for');
    client.request = null;
    client.answer = null;
    return this.#line({ ...request, http: null, code: null, ...answer });
  }

  /** What is still on its way arrives or never does; then every open token is asked for, and every issuer is read. */
  *#rest(): Generator<HistoryLine> {
    for (const late of this.#late) if (this.#random() < 0.5) this.#shardOf(late.issuer).decide(late);
    this.#late = [];
    const [client] = this.#freshClients();
    if (client === undefined) return;
    const wanted = [
      ...Array.from(this.#open.values(), ({ issuer, token }) => ({
        action: 'resolve' as const,
        issuer,
        token,
      })),
      ...Array.from({ length: Math.min(this.#plan.issuers, 100) }, (_, n) => ({
        action: 'read-issuer' as const,
        issuer: `issuer-${n}`,
        token: null,
      })),
    ];
    for (const one of wanted) {
      yield this.#invoke(client, one);
      const answer = client.request === null ? null : this.#look(client.request);
      if (answer !== null) yield this.#complete(client, answer);
    }
  }

  *#readBack(bases: readonly number[]): Generator<HistoryLine> {
    for (const { ask, shard, position, term } of this.#lost) {
      const commit = `shard${shard}@${position}~1.${term}`;
      yield this.#line({
        kind: 'lost',
        issuer: ask.issuer,
        token: ask.token,
        commit_token: commit,
        operation: 'failover',
      });
    }
    for (const shard of this.#shards) {
      const { id, cluster, lineage, log } = shard;
      yield this.#line({ kind: 'head', shard: id, cluster, position: String(shard.position) });
      for (const { generation, term, first } of lineage) {
        const first_position = String(first);
        yield this.#line({
          kind: 'lineage',
          shard: id,
          generation,
          term,
          first_position,
          cluster,
          reason: 'test',
        });
      }
      for (const entry of log.slice(bases[id] ?? 0)) yield this.#line(logEntry(entry));
    }
  }

  /** As an operator's signed-off report has it. */
  #absent(issuer: string, token: string): DecisionResult {
    const lost = this.#lost.find(({ ask }) => ask.issuer === issuer && ask.token === token);
    if (lost === undefined) return { ...NOT_FOUND };
    const { shard, position, term } = lost;
    return {
      ...NOT_FOUND,
      outcome: 'lost',
      position: String(position),
      commit_token: `shard${shard}@${position}~1.${term}`,
      lost_by: 'failover',
    };
  }

  #lose(count: number): void {
    const shard = this.#pick(this.#shards);
    this.#lost.push(...shard.failOverTo(Math.max(0, shard.position - count)));
  }

  #freshClients(): Client[] {
    return Array.from({ length: this.#plan.processes }, (_, n) => ({
      name: `p${n}-${this.#i}`,
      request: null,
      ask: null,
      answer: null,
      asked: [],
    }));
  }

  #line(entry: HistoryEntry): HistoryLine {
    this.#i += 1;
    this.#t += 1 + this.#index(4);
    return { i: this.#i, t: this.#t, ...entry };
  }

  #issuer = (): string => `issuer-${this.#index(this.#plan.issuers)}`;
  #limit = (): number => this.#plan.limit + this.#index(this.#plan.limit);
  #index = (length: number): number => Math.floor(this.#random() * length);
  #shardOf(issuer: string): ModelShard {
    return at(this.#shards, Number(issuer.slice('issuer-'.length)) % this.#shards.length);
  }
  #pick<T>(list: readonly T[]): T {
    return at(list, this.#index(list.length));
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
}

const NOT_FOUND: DecisionResult = {
  outcome: 'not_found',
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

const logEntry = (entry: ModelEntry): HistoryEntry => ({
  kind: 'log',
  shard: entry.shard,
  position: String(entry.position),
  generation: entry.generation,
  term: entry.term,
  event: entry.event,
  issuer: entry.ask.issuer,
  token: entry.ask.token,
  reservation: entry.event === 'limit_set' || entry.event === 'abandoned' ? null : entry.ask.reservation,
  amount: entry.amount === null ? null : money(entry.amount),
  reserved_after: entry.reservedAfter === null ? null : money(entry.reservedAfter),
  limit_after: entry.limitAfter === null ? null : money(entry.limitAfter),
});

/** The whole history at once. */
export const modelHistory = (plan: HistoryPlan): HistoryLine[] => [...new ModelHistory(plan).lines()];
