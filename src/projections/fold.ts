import { assertNever } from '../domain/errors.ts';
import type { LogEntry, LogEvent } from '../domain/log-entry.ts';

/** The rows of a shard's projections, as text where Postgres has int8 and times; without their shard. */
export interface DecisionRow extends LogEntry {
  readonly status: 'open' | 'released' | 'rejected' | 'abandoned' | 'final';
  readonly released_position: string | null;
  readonly released_at: string | null;
}

export interface IssuerRow {
  readonly limit_cents: string;
  readonly reserved_cents: string;
  readonly open_count: number;
  readonly position: string;
  readonly changed_at: string;
}

export interface OpenRow {
  readonly desk: string;
  readonly amount_cents: string;
  readonly reservation_token: string;
  readonly position: string;
  readonly decided_at: string;
}

export interface DeskRow {
  readonly open_cents: string;
  readonly open_count: string;
  readonly position: string;
}

/** What an entry did: its own row as it is at its position, and the reservation that it closed. */
export interface Folded {
  readonly row: DecisionRow;
  readonly closed: { readonly position: string; readonly by: LogEntry } | undefined;
}

const STATUS: Readonly<Record<LogEvent, DecisionRow['status']>> = {
  reserved: 'open',
  reserve_rejected: 'rejected',
  released: 'final',
  release_rejected: 'rejected',
  limit_set: 'final',
  corrected: 'final',
  abandoned: 'abandoned',
};

/** The key of a reservation in a shard: an issuer can't contain the separator. */
export const reservationKey = (issuer: string, reservation: string): string =>
  `${issuer}\u0000${reservation}`;

/**
 * What a shard's log says its projections hold: the reference that `projection verify` compares them with. It shares nothing with
 * the statement that writes them. It keeps what is current (issuers, open reservations, desks), never the decisions.
 */
export class Fold {
  readonly issuers = new Map<string, IssuerRow>();
  readonly open = new Map<string, OpenRow>();
  readonly desks = new Map<string, DeskRow>();

  add(entry: LogEntry): Folded {
    const row: DecisionRow = {
      ...entry,
      status: STATUS[entry.event],
      released_position: null,
      released_at: null,
    };
    switch (entry.event) {
      case 'reserved':
        this.#change(entry, 1);
        this.open.set(reservationKey(entry.issuer, entry.reservation ?? ''), {
          desk: entry.desk,
          amount_cents: entry.amount ?? '0',
          reservation_token: entry.token,
          position: entry.position,
          decided_at: entry.decided_at,
        });
        return { row, closed: undefined };
      case 'released': {
        this.#change(entry, -1);
        const key = reservationKey(entry.issuer, entry.reservation ?? '');
        const made = this.open.get(key);
        this.open.delete(key);
        return { row, closed: made && { position: made.position, by: entry } };
      }
      case 'limit_set':
      case 'corrected':
        this.#change(entry, 0);
        return { row, closed: undefined };
      case 'reserve_rejected':
      case 'release_rejected':
      case 'abandoned':
        return { row, closed: undefined };
      default:
        return assertNever(entry.event);
    }
  }

  #change(entry: LogEntry, count: -1 | 0 | 1): void {
    this.issuers.set(entry.issuer, {
      limit_cents: entry.limit_after ?? '0',
      reserved_cents: entry.reserved_after ?? '0',
      open_count: (this.issuers.get(entry.issuer)?.open_count ?? 0) + count,
      position: entry.position,
      changed_at: entry.decided_at,
    });
    if (count === 0) return;
    const desk = this.desks.get(entry.desk);
    this.desks.set(entry.desk, {
      open_cents: (BigInt(desk?.open_cents ?? 0) + BigInt(entry.amount ?? 0) * BigInt(count)).toString(),
      open_count: (BigInt(desk?.open_count ?? 0) + BigInt(count)).toString(),
      position: entry.position,
    });
  }
}

/** All decisions of a log with what became of them, for a log that fits in memory. */
export function foldDecisions(entries: Iterable<LogEntry>): {
  fold: Fold;
  decisions: Map<string, DecisionRow>;
} {
  const fold = new Fold();
  const decisions = new Map<string, DecisionRow>();
  for (const entry of entries) {
    const { row, closed } = fold.add(entry);
    decisions.set(row.position, row);
    const made = closed && decisions.get(closed.position);
    if (made !== undefined && closed !== undefined) {
      decisions.set(made.position, {
        ...made,
        status: 'released',
        released_position: closed.by.position,
        released_at: closed.by.decided_at,
      });
    }
  }
  return { fold, decisions };
}
