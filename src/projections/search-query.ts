import type { LogEvent } from '../domain/log-entry.ts';
import type { DecisionRow } from './fold.ts';

/** What compliance asks for; what is left out restricts nothing. */
export interface SearchQuery {
  /** Words, all of which must be found, each from its beginning; or part of an issuer. */
  readonly text?: string;
  /** An issuer; with a trailing `*`, all that begin with it. */
  readonly issuer?: string;
  /** Part of an issuer, in any case. */
  readonly issuerContains?: string;
  readonly desk?: string;
  readonly amountMinCents?: string;
  readonly amountMaxCents?: string;
  /** ISO 8601; from is included, to is not. */
  readonly from?: string;
  readonly to?: string;
  readonly status?: DecisionRow['status'];
  readonly event?: LogEvent;
}

const TERMS_MAX = 10;
/** As the words of a decision are split (001-projections.sql). */
const SEPARATORS = /[\s\-_./:]+/u;

/** The words of a free text, at most ten. */
export function searchTerms(text: string): string[] {
  return text
    .split(SEPARATORS)
    .filter((term) => term !== '')
    .slice(0, TERMS_MAX);
}

/** As to_tsquery takes them: all of them, each as a prefix. Undefined: there is no word in it. */
export function tsQueryText(text: string): string | undefined {
  const terms = searchTerms(text);
  if (terms.length === 0) return undefined;
  return terms.map((term) => `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}':*`).join(' & ');
}

/** A LIKE pattern that matches the text itself. */
export const likeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
