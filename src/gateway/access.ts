import type { FastifyRequest } from 'fastify';
import type { Identity, KeyRing, KeyRole } from './keys.ts';
import { ProblemError } from './problem.ts';

/** Who asks. Throws ProblemError `unauthenticated`, or `forbidden` when the key's role may not do that. */
export function demandIdentity(request: FastifyRequest, keys: KeyRing, role?: KeyRole): Identity {
  const identity = keys.identify(request.headers.authorization);
  if (identity === undefined) {
    throw new ProblemError('unauthenticated', {
      detail: 'send a key that this gateway knows as `Authorization: Bearer …`',
      ...(role === undefined ? {} : { effect: 'none' }),
    });
  }
  if (role !== undefined && identity.role !== role) {
    throw new ProblemError('forbidden', { detail: `this takes the key of ${article(role)}`, effect: 'none' });
  }
  return identity;
}

const article = (role: KeyRole): string => (role === 'operator' ? 'an operator' : 'a desk');
