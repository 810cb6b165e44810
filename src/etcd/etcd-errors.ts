import {
  type CapstanError,
  messageOf,
  refusedError,
  unknownError,
  unreachableError,
} from '../domain/errors.ts';
import type { Outcome } from './race-endpoints.ts';

/** gRPC and socket failures that happen before a request leaves this process (grpc-js `load-balancing-call`). */
const UNSENT =
  /No connection established|Channel closed before call started|Name resolution failed|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|too many requests/;
const DENIED =
  /permission denied|authentication failed|user name not found|user name is empty|invalid auth token|unauthenticated|authentication is not enabled/i;
const LEASE_GONE = /requested lease not found|is expired or revoked/;
/** Refused by the server before it was proposed, or deterministically when it was applied: no effect either way. */
const INVALID =
  /too many operations|duplicate key|required revision|request is too large|database space exceeded|invalid argument|key is not provided/i;

/** Sorts what one attempt on one endpoint threw. Anything not known to be without effect counts as `lost`. */
export function outcomeOfFailure(error: unknown): Outcome<never> {
  const message = messageOf(error);
  if (DENIED.test(message)) {
    return {
      kind: 'refused',
      error: unreachableError(`etcd refuses this user: ${message}`, {
        code: 'etcd_denied',
        retryable: false,
        next: 'check etcd.username, etcd.password and the role that etcd grants to that user',
        cause: error,
      }),
    };
  }
  if (LEASE_GONE.test(message)) {
    return {
      kind: 'refused',
      error: refusedError(`the liveness lease is gone: ${message}`, {
        code: 'etcd_lease_gone',
        retryable: true,
        cause: error,
      }),
    };
  }
  if (INVALID.test(message)) {
    return {
      kind: 'refused',
      error: refusedError(`etcd refuses the request: ${message}`, {
        code: 'etcd_request_refused',
        cause: error,
      }),
    };
  }
  return { kind: UNSENT.test(message) ? 'unsent' : 'lost', error };
}

/** No quorum answered in time, and the request provably had no effect. */
export const unreachable = (endpoints: readonly string[], errors: readonly unknown[]): CapstanError =>
  unreachableError(`etcd can't be reached at ${endpoints.join(', ')}: ${reasons(errors)}`, {
    code: 'etcd_unreachable',
    next: 'check that a majority of the etcd members runs and answers: capstan status',
    data: { endpoints },
    cause: errors.at(-1),
  });

/** The transaction was sent and its reply is lost: it may have been committed. */
export const outcomeUnknown = (endpoints: readonly string[], errors: readonly unknown[]): CapstanError =>
  unknownError(`etcd's answer to a transaction was lost: ${reasons(errors)}`, {
    code: 'etcd_outcome_unknown',
    retryable: false,
    next: 'read the records again: the change is either there or not',
    data: { endpoints },
    cause: errors.at(-1),
  });

const reasons = (errors: readonly unknown[]) =>
  [...new Set(errors.map(messageOf))].join('; ') || 'no endpoint answered';
