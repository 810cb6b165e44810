import type { ClaimRecord } from '../domain/records.ts';

/** What an answer may say of the RPO claim. A claim that nothing proves any more has lapsed, whoever died. */
export interface ClaimReading {
  readonly claim: 'advertised' | 'withdrawn' | 'lapsed' | 'unknown';
  readonly lagMs: number | null;
  readonly budgetMs: number | null;
  readonly reason: string | null;
  readonly validUntil: string | null;
}

const UNKNOWN: ClaimReading = {
  claim: 'unknown',
  lagMs: null,
  budgetMs: null,
  reason: 'nothing was published yet',
  validUntil: null,
};

export function claimOf(record: ClaimRecord | undefined, nowMs: number = Date.now()): ClaimReading {
  if (record === undefined) return UNKNOWN;
  const { budgetMs, lagMs, validUntil } = record;
  if (record.status === 'withdrawn') {
    return { claim: 'withdrawn', lagMs, budgetMs, reason: record.reason, validUntil };
  }
  if (validUntil === null || nowMs >= Date.parse(validUntil)) {
    // The recorded lag is the age at the time of the record; nothing newer is known, so no figure is given.
    return { claim: 'lapsed', lagMs: null, budgetMs, reason: 'nothing has proved it since', validUntil };
  }
  return { claim: 'advertised', lagMs, budgetMs, reason: null, validUntil };
}
