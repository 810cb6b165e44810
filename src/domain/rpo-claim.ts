import { formatDurationMs } from './duration.ts';
import type { ClaimRecord, MembershipRecord } from './records.ts';

/**
 * - `advertised`: a regional failover loses no more than the budget, proved at this moment.
 * - `withdrawn`: the leader's agent took it back.
 * - `lapsed`: it was advertised, and nothing has proved it since.
 * - `unknown`: nothing was said of it under the authority of now.
 * - `none`: the cluster has no remote follower, so there is nothing to claim.
 */
export type ClaimStatus = 'advertised' | 'withdrawn' | 'lapsed' | 'unknown' | 'none';

/** What may be said of a recorded RPO claim at one moment. Only `advertised` is a promise. */
export interface ClaimReading {
  readonly claim: ClaimStatus;
  readonly lagMs: number | null;
  readonly reason: string | null;
  readonly validUntil: string | null;
  /** Since when it reads so; null when that isn't known. */
  readonly since: string | null;
  /** What made it so; null when that isn't known. */
  readonly because: string | null;
}

export interface ClaimContext {
  /** Undefined: the members aren't known. */
  readonly membership: MembershipRecord | undefined;
  /** The authority's term; a claim of another one says nothing of now. Undefined: not known. */
  readonly term: number | undefined;
  /** A wall clock. */
  readonly nowMs: number;
}

const silent = (claim: ClaimStatus, reason: string, validUntil: string | null = null): ClaimReading => ({
  claim,
  lagMs: null,
  reason,
  validUntil,
  since: claim === 'lapsed' ? validUntil : null,
  because: claim === 'unknown' ? null : reason,
});

/** A claim lapses by itself: what nothing proves any more is not advertised, whoever died. */
export function readClaim(
  record: ClaimRecord | undefined,
  { membership, term, nowMs }: ClaimContext,
): ClaimReading {
  if (membership !== undefined && !hasObserver(membership)) {
    return silent('none', 'the cluster has no remote follower');
  }
  if (record === undefined) return silent('unknown', 'no agent says anything of it now');
  if (record.term !== term) {
    const now = term === undefined ? 'no authority is known' : `the authority's is ${term}`;
    return silent('unknown', `it was published under term ${record.term}, and ${now}`);
  }
  const { budgetMs, lagMs, validUntil, changedAt: since, changedBecause: because } = record;
  if (record.status === 'withdrawn') {
    return {
      claim: 'withdrawn',
      lagMs: aged(record, nowMs),
      reason: record.reason,
      validUntil,
      since,
      because,
    };
  }
  const leftMs = validUntil === null ? 0 : Date.parse(validUntil) - nowMs;
  // The recorded lag is the age at the time of the record; nothing newer is known, so no figure is given.
  if (validUntil === null || !(leftMs > 0)) {
    return silent('lapsed', 'nothing has proved it since', validUntil);
  }
  // What was proved ages with the clock: of the budget, all is used but what is left of the validity.
  const agedMs = Math.max(lagMs ?? 0, Math.round(budgetMs - leftMs));
  return { claim: 'advertised', lagMs: agedMs, reason: null, validUntil, since, because };
}

export const hasObserver = ({ members }: MembershipRecord): boolean =>
  Object.values(members).some(({ role }) => role === 'observer');

/** The lag as the clock has let it grow since it was recorded; unknown when the record's time can't be read. */
function aged({ lagMs, at }: ClaimRecord, nowMs: number): number | null {
  const age = nowMs - Date.parse(at);
  return lagMs === null || Number.isNaN(age) ? null : lagMs + Math.max(0, age);
}

/** The reading in words, for a person. */
export const claimWords = ({ claim, reason, lagMs }: ClaimReading): string =>
  [
    `the RPO claim is ${claim}`,
    reason,
    lagMs === null ? 'the lag is not known' : `lag ${formatDurationMs(lagMs)}`,
  ]
    .filter((part) => part !== null)
    .join(', ');
