/** Logs as `capstan.decide` would write them, from commands, so that a test can make any length of one without a database. */
import type { LogEntry } from '../../src/domain/log-entry.ts';
import type { LineageEntry } from '../../src/domain/shard-log.ts';

export type ModelCommand =
  | { readonly kind: 'limit'; readonly issuer: string; readonly limit: number }
  | { readonly kind: 'correct'; readonly issuer: string; readonly limit: number; readonly reason: string }
  | { readonly kind: 'reserve'; readonly issuer: string; readonly desk: string; readonly amount: number }
  /** The n-th reservation ever made of the issuer, open or not. */
  | { readonly kind: 'release'; readonly issuer: string; readonly nth: number }
  | { readonly kind: 'settle'; readonly issuer: string };

interface Exposure {
  limit: number;
  reserved: number;
  made: { id: string; desk: string; amount: number; open: boolean }[];
}

const DAY_START = Date.UTC(2026, 10, 30, 9);

const text = (value: number | null): string | null => (value === null ? null : String(value));

export class LogModel {
  readonly entries: LogEntry[] = [];
  readonly #issuers = new Map<string, Exposure>();
  generation = 1;
  term = 1;

  /** An independent copy: what a new authority goes on from. */
  static of(entries: readonly LogEntry[], authority: { generation: number; term: number }): LogModel {
    const model = new LogModel();
    for (const entry of entries) model.#replay(entry);
    model.generation = authority.generation;
    model.term = authority.term;
    return model;
  }

  run(commands: Iterable<ModelCommand>): this {
    for (const command of commands) this.#decide(command);
    return this;
  }

  #decide(command: ModelCommand): void {
    const { issuer } = command;
    const x = this.#issuers.get(issuer);
    switch (command.kind) {
      case 'limit':
      case 'correct': {
        if (x === undefined && command.kind === 'correct') return;
        this.#append({
          event: command.kind === 'limit' ? 'limit_set' : 'corrected',
          issuer,
          desk: 'risk-office',
          amount: command.limit,
          reserved: x?.reserved ?? 0,
          limit: command.limit,
          reason: command.kind === 'correct' ? command.reason : null,
        });
        return;
      }
      case 'reserve': {
        if (x === undefined) return;
        const fits = command.amount <= x.limit - x.reserved;
        this.#append({
          event: fits ? 'reserved' : 'reserve_rejected',
          issuer,
          desk: command.desk,
          amount: command.amount,
          reservation: `${issuer}-r${this.entries.length + 1}`,
          reserved: fits ? x.reserved + command.amount : x.reserved,
          limit: x.limit,
          reason: fits ? null : 'insufficient_headroom',
        });
        return;
      }
      case 'release': {
        const made = x?.made[command.nth % Math.max(1, x.made.length)];
        if (x === undefined || made === undefined) return;
        this.#append({
          event: made.open ? 'released' : 'release_rejected',
          issuer,
          desk: made.desk,
          amount: made.amount,
          reservation: made.id,
          reserved: made.open ? x.reserved - made.amount : x.reserved,
          limit: x.limit,
          reason: made.open ? null : 'already_released',
        });
        return;
      }
      case 'settle':
        this.#append({
          event: 'abandoned',
          issuer,
          desk: 'risk-office',
          amount: null,
          reserved: x?.reserved ?? null,
          limit: x?.limit ?? null,
          reason: null,
        });
    }
  }

  #append(decided: {
    event: LogEntry['event'];
    issuer: string;
    desk: string;
    amount: number | null;
    reservation?: string;
    reserved: number | null;
    limit: number | null;
    reason: string | null;
  }): void {
    const position = this.entries.length + 1;
    this.#replay({
      position: String(position),
      generation: this.generation,
      term: this.term,
      event: decided.event,
      issuer: decided.issuer,
      desk: decided.desk,
      token: `tok-${this.term}-${position}`,
      reservation: decided.reservation ?? null,
      amount: text(decided.amount),
      reserved_after: text(decided.reserved),
      limit_after: text(decided.limit),
      reason: decided.reason,
      decided_at: new Date(DAY_START + position * 1000).toISOString().replace('Z', '123Z'),
    });
  }

  #replay(entry: LogEntry): void {
    this.entries.push(entry);
    const { issuer, event } = entry;
    const x = this.#issuers.get(issuer) ?? { limit: 0, reserved: 0, made: [] };
    if (event !== 'abandoned') {
      x.limit = Number(entry.limit_after);
      x.reserved = Number(entry.reserved_after);
      this.#issuers.set(issuer, x);
    }
    if (event === 'reserved') {
      x.made.push({
        id: entry.reservation ?? '',
        desk: entry.desk,
        amount: Number(entry.amount),
        open: true,
      });
    } else if (event === 'released') {
      for (const made of x.made) if (made.id === entry.reservation) made.open = false;
    }
  }
}

/** Commands that are the same at each run: two issuers, three desks, a release for about every third reserve. */
export function* someCommands(count: number, salt = 1): Generator<ModelCommand> {
  yield { kind: 'limit', issuer: 'MUNI-77', limit: 1_000_000 };
  yield { kind: 'limit', issuer: 'CORP-12', limit: 200_000 };
  for (let i = 2; i < count; i++) {
    const issuer = (i * salt) % 3 === 0 ? 'CORP-12' : 'MUNI-77';
    const step = (i * 7 + salt) % 11;
    if (step < 6)
      yield { kind: 'reserve', issuer, desk: `ny-muni-${i % 3}`, amount: 1_000 + ((i * salt) % 977) };
    else if (step < 9) yield { kind: 'release', issuer, nth: i * 5 + salt };
    else if (step === 9) yield { kind: 'settle', issuer: i % 2 === 0 ? issuer : 'GHOST-1' };
    else yield { kind: 'correct', issuer, limit: 1_000_000 + i, reason: 'Wrong limit, ticket OPS-4711' };
  }
}

export const lineageRow = (
  generation: number,
  term: number,
  firstPosition: number,
  cluster = 'c1',
): LineageEntry => ({
  generation,
  term,
  first_position: String(firstPosition),
  cluster,
  reason: 'test',
  began_at: '2026-11-30T09:00:00.000000Z',
});
