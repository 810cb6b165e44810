import { parseCommitToken } from '../../domain/commit-token.ts';
import type { CompletionLine } from '../history/types.ts';
import type { Ask, SentBound } from './types.ts';

/** The newest commit token that anybody was told for an issuer: what its reads are bound to. */
export class NewestTokens {
  readonly #tokens = new Map<string, string>();

  learn({ issuer, kind, result }: Pick<CompletionLine, 'issuer' | 'kind' | 'result'>): void {
    if (kind !== 'ok' || result === null || !('commit_token' in result)) return;
    const { commit_token: token, outcome } = result;
    if (token === null || outcome === 'lost') return;
    const known = this.#tokens.get(issuer);
    if (known === undefined || isNewer(token, known)) this.#tokens.set(issuer, token);
  }

  boundOf(ask: Ask): SentBound {
    const bound = ask.action === 'read-issuer' || ask.action === 'read-open' ? ask.bound : 'none';
    return {
      atLeast: bound === 'newest' ? (this.#tokens.get(ask.issuer) ?? null) : null,
      maxStalenessMs: typeof bound === 'number' ? bound : null,
    };
  }
}

/** A later authority's token is newer, whatever its position: a failover may have lost positions before it. */
function isNewer(token: string, known: string): boolean {
  const [a, b] = [parseCommitToken(token), parseCommitToken(known)];
  if (a.generation !== b.generation) return a.generation > b.generation;
  return a.term === b.term ? a.position > b.position : a.term > b.term;
}
