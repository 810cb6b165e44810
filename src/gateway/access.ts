import type { FastifyRequest } from 'fastify';
import type { Identity, KeyRing, KeyRole } from './keys.ts';
import { ProblemError } from './problem.ts';

/** Who asks. Throws ProblemError `unauthenticated`, or `forbidden` when the key's role may not do that. */
export function demandIdentity(
  request: FastifyRequest,
  keys: KeyRing,
  role?: KeyRole | readonly KeyRole[],
): Identity {
  const identity = keys.identify(request.headers.authorization);
  if (identity === undefined) {
    throw new ProblemError('unauthenticated', {
      detail: 'send a key that this gateway knows as `Authorization: Bearer …`',
      ...(role === undefined ? {} : { effect: 'none' }),
    });
  }
  const roles = typeof role === 'string' ? [role] : role;
  if (roles !== undefined && !roles.includes(identity.role)) {
    const whose = roles.map((one) => ARTICLE[one]).join(' or ');
    throw new ProblemError('forbidden', { detail: `this takes the key of ${whose}`, effect: 'none' });
  }
  return identity;
}

const ARTICLE: Readonly<Record<KeyRole, string>> = {
  operator: 'an operator',
  desk: 'a desk',
  compliance: 'compliance',
};
