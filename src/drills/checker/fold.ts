import { assertNever } from '../../domain/errors.ts';
import { type Amount, minus, plus } from './amount.ts';
import type { Entry, Issuer, Operation } from './facts.ts';
import { type Slack, slackOf } from './slack.ts';

/** What a rule wants to see of an issuer's fold. Reads come once all entries up to their position are applied. */
interface FoldVisitor {
  before?(entry: Entry, fold: Fold, index: number): void;
  /** The entry's effect is applied; what it says of itself is not believed yet. */
  after?(entry: Entry, fold: Fold, index: number): void;
  read?(read: Operation, fold: Fold, index: number): void;
}

/**
 * An issuer's state along positions. Amounts are ranges, for an unknown decision may or may not have come in between and the
 * state before the history may be unknown; with the whole log at hand both ends are equal.
 */
export class Fold {
  reservedLow: Amount = 0;
  /** Null: no bound is known. */
  reservedHigh: Amount | null = null;
  /** Null: not known; -1: the issuer has none. */
  limitLow: Amount | null = null;
  limitHigh: Amount | null = null;
  readonly open = new Map<string, Amount | null>();
  readonly released = new Set<string>();
  /** Whether `open` is all that is open. */
  openKnown = false;
  /** Whether every reservation in `open` has its own name. */
  namesKnown = true;
  /** The issuer began within the history. */
  readonly isWhole: boolean;
  /** Why the last entry can't follow from the state before it. */
  problem: string | null = null;
  readonly #slack: Slack | null;

  constructor(issuer: Issuer) {
    this.#slack = slackOf(issuer);
    this.isWhole = issuer.shard?.basePosition === 0 && issuer.loose.length === 0;
    if (issuer.shard?.basePosition === 0) {
      this.reservedHigh = 0;
      this.limitLow = -1;
      this.limitHigh = -1;
      this.openKnown = this.#slack === null;
    } else {
      this.#learn(issuer.entries[0]);
    }
  }

  get reserved(): Amount | null {
    return this.reservedLow === this.reservedHigh ? this.reservedLow : null;
  }

  get limit(): Amount | null {
    return this.limitLow === this.limitHigh ? this.limitLow : null;
  }

  /** What an entry says is reserved after it, be it as limit less remaining. */
  statedReserved({ reservedAfter, remaining }: Entry): Amount | null {
    if (reservedAfter !== null) return reservedAfter;
    return remaining === null || this.limit === null ? null : minus(this.limit, remaining);
  }

  widen(): void {
    const slack = this.#slack;
    if (slack === null) return;
    this.openKnown = false;
    if (slack.releases) this.reservedLow = 0;
    this.reservedHigh =
      this.reservedHigh === null || slack.reserves === null ? null : plus(this.reservedHigh, slack.reserves);
    if (slack.limits.length === 0 || this.limitLow === null || this.limitHigh === null) return;
    for (const limit of slack.limits) {
      if (limit < this.limitLow) this.limitLow = limit;
      if (limit > this.limitHigh) this.limitHigh = limit;
    }
  }

  apply(entry: Entry): void {
    this.problem = null;
    switch (entry.event) {
      case 'reserved':
        return this.#reserve(entry);
      case 'released':
        return this.#release(entry);
      case 'limit_set':
      case 'corrected':
        this.limitLow = entry.amount;
        this.limitHigh = entry.amount;
        return;
      case 'reserve_rejected':
      case 'release_rejected':
      case 'abandoned':
        return;
      default:
        assertNever(entry.event);
    }
  }

  adopt(entry: Entry): void {
    if (entry.limitAfter !== null) {
      this.limitLow = entry.limitAfter;
      this.limitHigh = entry.limitAfter;
    }
    const reserved = this.statedReserved(entry);
    if (reserved === null) return;
    this.reservedLow = reserved;
    this.reservedHigh = reserved;
  }

  #reserve({ amount, reservation, token }: Entry): void {
    const key = reservation ?? `of token ${token.name}`;
    if (reservation === null) this.namesKnown = false;
    if (this.open.has(key)) this.problem = `makes the reservation ${key}, which is open already`;
    this.open.set(key, amount);
    if (amount === null) {
      this.reservedHigh = null;
      return;
    }
    this.reservedLow = plus(this.reservedLow, amount);
    if (this.reservedHigh !== null) this.reservedHigh = plus(this.reservedHigh, amount);
  }

  #release({ amount: said, reservation }: Entry): void {
    let amount = said;
    if (reservation === null) {
      this.openKnown = false;
    } else if (this.open.has(reservation)) {
      const held = this.open.get(reservation) ?? null;
      if (held !== null && said !== null && held !== said) {
        this.problem = `releases another amount than ${reservation} was reserved with`;
      }
      amount = held ?? said;
      this.open.delete(reservation);
      this.released.add(reservation);
    } else {
      if (this.released.has(reservation)) this.problem = `releases ${reservation} a second time`;
      else if (this.openKnown && this.namesKnown) this.problem = `releases ${reservation}, which is not held`;
      if (!this.namesKnown) this.openKnown = false;
      this.released.add(reservation);
    }
    this.reservedLow = amount === null ? 0 : atLeastZero(minus(this.reservedLow, amount));
    if (this.reservedHigh !== null && amount !== null) {
      this.reservedHigh = atLeastZero(minus(this.reservedHigh, amount));
    }
  }

  /** The state before the history, from what the first entry says that it led to. */
  #learn(first: Entry | undefined): void {
    if (first === undefined) return;
    const { event, amount, reservedAfter, limitAfter } = first;
    const isLimit = event === 'limit_set' || event === 'corrected';
    if (limitAfter !== null && !isLimit) {
      this.limitLow = limitAfter;
      this.limitHigh = limitAfter;
    }
    if (reservedAfter === null) return;
    if (event === 'reserved' || event === 'released') {
      if (amount === null) return;
      this.reservedLow = event === 'reserved' ? minus(reservedAfter, amount) : plus(reservedAfter, amount);
    } else {
      this.reservedLow = reservedAfter;
    }
    this.reservedHigh = this.reservedLow;
    this.openKnown = this.#slack === null && this.reservedLow === 0;
  }
}

const atLeastZero = (amount: Amount): Amount => (amount < 0 ? 0 : amount);

/** Leads a fold through an issuer's entries, with its reads where they belong. */
export function walk(issuer: Issuer, visitor: FoldVisitor): void {
  const fold = new Fold(issuer);
  const reads = visitor.read === undefined ? [] : readsByPosition(issuer);
  let next = 0;
  let before = -1;
  const showUntil = (position: number, index: number): void => {
    for (let read = reads[next]; read !== undefined && read.asOfPosition < position; read = reads[next]) {
      if (read.asOfPosition !== before) fold.widen();
      visitor.read?.(read, fold, index);
      next += 1;
    }
  };
  for (const [index, entry] of issuer.entries.entries()) {
    showUntil(entry.position, index - 1);
    // Between neighbours nothing can have come, whatever is unknown.
    if (entry.position !== before + 1) fold.widen();
    visitor.before?.(entry, fold, index);
    fold.apply(entry);
    visitor.after?.(entry, fold, index);
    fold.adopt(entry);
    before = entry.position;
  }
  showUntil(Infinity, issuer.entries.length - 1);
}

function readsByPosition({ reads }: Issuer): Operation[] {
  return reads
    .filter(({ shown, asOfPosition }) => shown !== null && asOfPosition >= 0)
    .toSorted((a, b) => a.asOfPosition - b.asOfPosition);
}
