import type { ClaimRecord } from '../domain/records.ts';
import { readClaim, type ClaimReading as KnownClaim } from '../domain/rpo-claim.ts';

/** What an answer may say of the RPO claim. */
export type ClaimReading =
  | KnownClaim
  | {
      readonly claim: 'unknown';
      readonly lagMs: null;
      readonly budgetMs: null;
      readonly reason: string;
      readonly validUntil: null;
    };

const UNKNOWN: ClaimReading = {
  claim: 'unknown',
  lagMs: null,
  budgetMs: null,
  reason: 'nothing was published yet',
  validUntil: null,
};

export const claimOf = (record: ClaimRecord | undefined, nowMs: number = Date.now()): ClaimReading =>
  record === undefined ? UNKNOWN : readClaim(record, nowMs);
