import { type Clock, timestampOf } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { CapstanError } from '../domain/errors.ts';
import type { AuthorityRecord, LeaseRecord } from '../domain/records.ts';
import type { CallOptions, EtcdPort } from '../etcd/port.ts';
import type { Keys } from './keys.ts';
import { Transaction, type Versioned } from './store.ts';

export interface RenewLeaseOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  /** The authority as it was last read; the renewal holds for this revision of it and no other. */
  readonly authority: Versioned<AuthorityRecord>;
  readonly member: string;
  readonly grantId: string;
  readonly sequence: number;
  readonly ttlMs: number;
  readonly call?: CallOptions;
  readonly clock?: Clock;
}

/**
 * - `renewed`: the right runs from the moment before this call, which is the caller's to have noted.
 * - `superseded`: the authority is another one now; no later renewal under this term can succeed.
 * - `unknown`: no answer. The lease may have been written, the right may not be extended.
 */
export type RenewLeaseResult =
  | { readonly kind: 'renewed'; readonly lease: LeaseRecord }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'unknown'; readonly error: CapstanError };

/**
 * Renews a leader's lease by a transaction that compares the authority (an etcd keepalive would go on after it changed).
 * An authority that is not open, or whose leader is another member, is `superseded` without asking.
 */
export async function renewLease(options: RenewLeaseOptions): Promise<RenewLeaseResult> {
  const {
    etcd,
    keys,
    cluster,
    authority,
    member,
    grantId,
    sequence,
    ttlMs,
    call,
    clock = systemClock,
  } = options;
  const { term, phase, leader } = authority.value;
  if (phase !== 'open' || leader !== member) return { kind: 'superseded' };
  const lease: LeaseRecord = {
    term,
    leader: member,
    grantId,
    sequence,
    ttlMs,
    renewedAt: timestampOf(clock),
  };
  try {
    const renewed = await new Transaction(etcd)
      .expect(keys.authority(cluster), authority.revision)
      .put(keys.lease(cluster), lease)
      // Late or twice, it says the same of the same authority.
      .commit({ ...call, repeatable: true });
    return renewed ? { kind: 'renewed', lease } : { kind: 'superseded' };
  } catch (error) {
    if (error instanceof CapstanError) return { kind: 'unknown', error };
    throw error;
  }
}
