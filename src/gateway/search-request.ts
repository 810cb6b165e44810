import type { z } from 'zod';
import { parseAmount } from '../domain/money.ts';
import type { SearchQuery } from '../projections/search-query.ts';
import { fieldInvalid } from './problem.ts';
import type { complianceQuery } from './projection-schemas.ts';

/** What compliance asks for, in the projections' words. Throws ProblemError `field_invalid`. */
export function searchQueryOf(asked: z.output<typeof complianceQuery>): SearchQuery {
  const cents = (field: 'amount_min' | 'amount_max'): string | undefined => {
    const value = asked[field];
    if (value === undefined) return undefined;
    const parsed = parseAmount(value);
    if (parsed === undefined) throw fieldInvalid(field, 'must be a decimal of at most two places');
    return parsed.toString();
  };
  const { q: text, issuer, issuer_contains: issuerContains, desk, from, to, status, event } = asked;
  const entries = Object.entries({
    text,
    issuer,
    issuerContains,
    desk,
    amountMinCents: cents('amount_min'),
    amountMaxCents: cents('amount_max'),
    from,
    to,
    status,
    event,
  } satisfies Record<keyof SearchQuery, string | undefined>);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as SearchQuery;
}
