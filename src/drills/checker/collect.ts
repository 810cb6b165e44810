import { parseCommitToken } from '../../domain/commit-token.ts';
import { assertNever, usageError } from '../../domain/errors.ts';
import type {
  AuthorityLine,
  CompletionLine,
  DecisionResult,
  HeaderLine,
  HistoryLine,
  InvokeLine,
  IsolatedLine,
  LogLine,
  LossLine,
  LostLine,
  ReadResult,
} from '../history/types.ts';
import { type Amount, amountOf } from './amount.ts';
import { completeFacts } from './complete.ts';
import { type Commit, type Decision, type Facts, isRead, type Operation, type Shown } from './facts.ts';
import { Registry } from './registry.ts';

/** Takes a history line by line and joins requests with their answers. Throws `history_invalid` for one that can't be. */
export class Collector {
  readonly #registry = new Registry();
  readonly #pending = new Map<string, Operation>();
  readonly #operations: Operation[] = [];
  readonly #answered: Operation[] = [];
  readonly #authorities: AuthorityLine[] = [];
  readonly #isolated: IsolatedLine[] = [];
  readonly #lost: LostLine[] = [];
  readonly #losses: LossLine[] = [];
  #header: HeaderLine | null = null;
  #firstT = Number.NaN;
  #lastT = Number.NaN;
  #lastI = -1;
  #missing = 0;

  add(line: HistoryLine): void {
    if (this.#lastI >= 0) this.#missing += line.i - this.#lastI - 1;
    else this.#firstT = line.t;
    this.#lastI = line.i;
    this.#lastT = line.t;
    switch (line.kind) {
      case 'invoke':
        return this.#invoke(line);
      case 'ok':
      case 'fail':
      case 'info':
        return this.#complete(line);
      case 'log':
        return this.#log(line);
      case 'header':
        this.#header = line;
        return;
      case 'authority':
        this.#authorities.push(line);
        return;
      case 'base':
        this.#registry.shard(line.shard).base = line;
        return;
      case 'head':
        this.#registry.shard(line.shard).head = line;
        return;
      case 'lineage':
        this.#registry.shard(line.shard).lineage.push(line);
        return;
      case 'lost': {
        const token = this.#registry.token(line.issuer, line.token);
        (token.lost ??= new Set()).add(line.commit_token);
        this.#lost.push(line);
        return;
      }
      case 'loss':
        this.#losses.push(line);
        return;
      case 'isolated':
        this.#isolated.push(line);
        return;
      case 'fault':
        return;
      default:
        assertNever(line);
    }
  }

  finish(): Facts {
    return completeFacts({
      registry: this.#registry,
      header: this.#header,
      operations: this.#operations,
      answered: this.#answered,
      authorities: this.#authorities,
      isolated: this.#isolated,
      lost: this.#lost,
      losses: this.#losses,
      spanMs: this.#lastI < 0 ? 0 : this.#lastT - this.#firstT,
      missingLines: this.#missing,
    });
  }

  #invoke(line: InvokeLine): void {
    const registry = this.#registry;
    const issuer = registry.issuer(line.issuer);
    const operation: Operation = {
      invokeI: line.i,
      invokeT: line.t,
      process: registry.name(line.process),
      action: line.action,
      issuer,
      token: line.token === null ? null : registry.token(line.issuer, line.token),
      notional: optional(line.notional, amountOf),
      limit: optional(line.limit, amountOf),
      reservation: line.reservation ?? null,
      desk: optional(line.desk, (name) => registry.name(name)),
      atLeast: optional(line.at_least, commitOf),
      maxStalenessMs: line.max_staleness_ms ?? null,
      via: registry.name(line.via),
      answerI: Infinity,
      answerT: Infinity,
      kind: 'info',
      decision: null,
      shown: null,
      asOf: null,
      asOfPosition: -1,
      http: null,
      code: null,
    };
    // A process that asks again without an answer has left its former request open: that one stays `info`.
    this.#pending.set(operation.process, operation);
    this.#operations.push(operation);
    operation.token?.attempts.push(operation);
    if (isRead(operation.action)) issuer.reads.push(operation);
  }

  #complete(line: CompletionLine): void {
    const operation = this.#pending.get(line.process);
    if (operation === undefined) throw unmatched(line, 'its process has no request under way');
    this.#pending.delete(line.process);
    if (
      operation.action !== line.action ||
      operation.issuer.name !== line.issuer ||
      (line.token !== null && operation.token?.name !== line.token)
    ) {
      throw unmatched(line, `its process asked for something else in line ${operation.invokeI}`);
    }
    operation.answerI = line.i;
    operation.answerT = line.t;
    operation.kind = line.kind;
    operation.http = line.http;
    operation.code = optional(line.code, (code) => this.#registry.name(code));
    operation.asOf = line.as_of;
    operation.asOfPosition = line.as_of === null ? -1 : Number(line.as_of.position);
    if (line.kind === 'ok' && line.result !== null) {
      if (isRead(line.action)) operation.shown = shownOf(line.result as ReadResult);
      else operation.decision = this.#decisionOf(line.result as DecisionResult);
    }
    this.#answered.push(operation);
  }

  #decisionOf(result: DecisionResult): Decision {
    const commit = optional(result.commit_token, commitOf);
    return {
      outcome: result.outcome,
      reason: optional(result.reason, (reason) => this.#registry.name(reason)),
      position: optional(result.position, Number) ?? commit?.position ?? null,
      commit,
      reservation: result.reservation,
      remaining: optional(result.remaining, amountOf),
      reservedAfter: optional(result.reserved_after, amountOf),
      limitAfter: optional(result.limit_after, amountOf),
      replayed: result.replayed,
      lostBy: result.lost_by ?? null,
      digest: result.digest,
    };
  }

  #log(line: LogLine): void {
    const token = this.#registry.token(line.issuer, line.token);
    this.#registry.shard(line.shard).log.push({
      position: Number(line.position),
      generation: line.generation,
      term: line.term,
      event: line.event,
      issuer: token.issuer,
      token,
      reservation: line.reservation,
      amount: optional(line.amount, amountOf),
      reservedAfter: optional(line.reserved_after, amountOf),
      limitAfter: optional(line.limit_after, amountOf),
      remaining: null,
      i: line.i,
      t: line.t,
    });
  }
}

const optional = <T, R>(value: T | null | undefined, read: (value: T) => R): R | null =>
  value === null || value === undefined ? null : read(value);

function commitOf(text: string): Commit {
  const { shard, position, generation, term } = parseCommitToken(text);
  return { shard, position: Number(position), generation, term };
}

const shownOf = ({ limit, reserved, open_count, open }: ReadResult): Shown => ({
  limit: optional(limit, amountOf),
  reserved: optional(reserved, amountOf),
  openCount: open_count,
  open:
    open === null
      ? null
      : new Map(Object.entries(open).map(([id, text]): [string, Amount] => [id, amountOf(text)])),
});

const unmatched = (line: CompletionLine, why: string) =>
  usageError(`the ${line.kind} of i ${line.i} answers nothing: ${why}`, {
    code: 'history_invalid',
    next: 'give each process one request at a time, each completion after its invoke',
    data: { i: line.i },
  });
