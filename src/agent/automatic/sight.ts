import type { EstateView } from '../../controlplane/estate-watch.ts';
import { revisionOf } from '../../controlplane/store.ts';

/** What one agent has seen of its cluster, and when, by its own monotonic clock. */
export interface Sight {
  /** `'0'`: no such record. */
  readonly authorityRevision: string;
  /** When this authority was first seen. */
  readonly authoritySinceMs: number;
  readonly leaseRevision: string;
  /** When the lease record, or the authority, was last seen to change. */
  readonly leaseChangedAtMs: number;
  /** Of the leader's agent. */
  readonly heartbeatRevision: string;
  /** When that, or the authority, was last seen to change. */
  readonly heartbeatChangedAtMs: number;
  readonly operation: string | undefined;
  /** When that operation was first seen, or last seen to have a coordinator. */
  readonly coordinatorSeenAtMs: number;
}

const BLIND: Sight = {
  authorityRevision: '',
  authoritySinceMs: 0,
  leaseRevision: '',
  leaseChangedAtMs: 0,
  heartbeatRevision: '',
  heartbeatChangedAtMs: 0,
  operation: undefined,
  coordinatorSeenAtMs: 0,
};

/** What is known after a look at `view` at `nowMs`. Pure; a later look never makes anything seem older than it was seen. */
export function nextSight(
  before: Sight = BLIND,
  { view, cluster, nowMs }: { readonly view: EstateView; readonly cluster: string; readonly nowMs: number },
): Sight {
  const found = view.clusters.get(cluster);
  const authorityRevision = revisionOf(found?.authority);
  const leaseRevision = revisionOf(found?.lease);
  const heartbeatRevision = revisionOf(found?.heartbeats.get(found.authority?.value.leader ?? ''));
  const operation = found?.activeOperation?.value;
  const sameAuthority = before.authorityRevision === authorityRevision;
  const driven = [...(found?.coordinators.values() ?? [])].some(({ value }) => value.operation === operation);
  return {
    authorityRevision,
    authoritySinceMs: sameAuthority ? before.authoritySinceMs : nowMs,
    leaseRevision,
    leaseChangedAtMs:
      sameAuthority && before.leaseRevision === leaseRevision ? before.leaseChangedAtMs : nowMs,
    heartbeatRevision,
    heartbeatChangedAtMs:
      sameAuthority && before.heartbeatRevision === heartbeatRevision ? before.heartbeatChangedAtMs : nowMs,
    operation,
    coordinatorSeenAtMs: before.operation === operation && !driven ? before.coordinatorSeenAtMs : nowMs,
  };
}
