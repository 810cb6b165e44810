import type { Clock } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { AuthorityRecord, MembershipRecord } from '../../domain/records.ts';
import { auditIn } from '../audit.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Keys } from '../keys.ts';
import { revisionOf, type Transaction, type Versioned } from '../store.ts';
import { type MembershipChanges, nextMembership } from './next-membership.ts';

export interface ChangeMembershipOptions {
  readonly keys: Keys;
  /** What was read, and is compared. */
  readonly view: ClusterView;
  readonly changes: MembershipChanges;
  readonly actor: string;
  readonly reason: string;
  /** The operation that this change belongs to, for the audit log. */
  readonly operation: string;
  readonly planHash?: string | undefined;
  /** Set only by the operation that holds the cluster itself (a failover's `open`): for anyone else it must be free. */
  readonly holdsCluster?: boolean | undefined;
  readonly clock: Clock;
}

/**
 * Adds a change of membership to a transaction: epoch + 1, audited, comparing the authority, the membership and that no
 * failover has begun. Answers the membership after it; changes that are made already add the compares and nothing else.
 * Throws what `nextMembership` throws, `operation_active` and `cluster_not_open` (exit 4).
 */
export function changeMembership(
  transaction: Transaction,
  options: ChangeMembershipOptions,
): MembershipRecord {
  const { keys, view, changes, actor, reason, operation, planHash = null, clock } = options;
  const { authority, leader } = settledAuthority(options);
  const { membership } = view;
  if (membership === undefined) throw notOpen(view);
  transaction
    .expect(keys.authority(view.name), authority.revision)
    .expect(keys.activeOperation(view.name), revisionOf(view.activeOperation))
    .expect(keys.membership(view.name), membership.revision);
  const after = nextMembership({ membership: membership.value, leader, changes });
  if (after === membership.value) return after;
  transaction.put(keys.membership(view.name), after);
  const entry = {
    actor,
    action: 'membership.change',
    target: view.name,
    operation,
    planHash,
    before: membership.value,
    after,
    reason,
  };
  auditIn(transaction, keys, entry, clock);
  return after;
}

/** An authority that isn't being changed by anybody else, and who leads by it. */
function settledAuthority({ view, operation, holdsCluster = false }: ChangeMembershipOptions): {
  readonly authority: Versioned<AuthorityRecord>;
  readonly leader: string;
} {
  const { authority } = view;
  const active = view.activeOperation?.value;
  if (active !== (holdsCluster ? operation : undefined)) {
    throw refusedError(
      active === undefined
        ? `operation ${operation} doesn't hold cluster ${view.name} any more`
        : `operation ${active} holds cluster ${view.name}`,
      {
        code: 'operation_active',
        retryable: true,
        next:
          active === undefined ? `capstan operation show ${operation}` : `capstan operation show ${active}`,
        data: { operation: active ?? null },
      },
    );
  }
  const settled =
    authority?.value.phase === 'open' || (holdsCluster && authority?.value.phase === 'promoting');
  if (authority === undefined || authority.value.leader === null || !settled) throw notOpen(view);
  return { authority, leader: authority.value.leader };
}

const notOpen = ({ name, authority }: ClusterView) =>
  refusedError(
    `cluster ${name} is ${authority === undefined ? 'not created' : `in phase ${authority.value.phase}`}: its membership stands`,
    { code: 'cluster_not_open', retryable: true, next: `capstan cluster show ${name}` },
  );
