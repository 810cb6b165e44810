import type { ClaimRecord } from './records.ts';

/** What may be said of a recorded RPO claim at one moment. */
export interface ClaimReading {
  readonly claim: 'advertised' | 'withdrawn' | 'lapsed';
  readonly lagMs: number | null;
  readonly budgetMs: number;
  readonly reason: string | null;
  readonly validUntil: string | null;
}

/** A claim lapses by itself: what nothing proves any more is not advertised, whoever died. `nowMs` is a wall clock. */
export function readClaim(record: ClaimRecord, nowMs: number): ClaimReading {
  const { budgetMs, lagMs, validUntil } = record;
  if (record.status === 'withdrawn') {
    return { claim: 'withdrawn', lagMs, budgetMs, reason: record.reason, validUntil };
  }
  const leftMs = validUntil === null ? 0 : Date.parse(validUntil) - nowMs;
  if (validUntil === null || leftMs <= 0) {
    // The recorded lag is the age at the time of the record; nothing newer is known, so no figure is given.
    return { claim: 'lapsed', lagMs: null, budgetMs, reason: 'nothing has proved it since', validUntil };
  }
  // What was proved ages with the clock: of the budget, all is used but what is left of the validity.
  const agedMs = Math.max(lagMs ?? 0, Math.round(budgetMs - leftMs));
  return { claim: 'advertised', lagMs: agedMs, budgetMs, reason: null, validUntil };
}
