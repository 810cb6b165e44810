import { unknownError, refusedError } from '../../domain/errors.ts';
import type { HeartbeatRecord } from '../../domain/agent-reports.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { RejoinRequest } from '../../domain/rejoin-records.ts';
import { type ClusterView, readClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, type OperationRun, report } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import type { Versioned } from '../store.ts';
import type { RejoinPlan } from './plan.ts';

export const planOf = (record: OperationRecord): RejoinPlan => record.plan as unknown as RejoinPlan;

/** The cluster while its authority is open, and what is asked of the member by this operation. */
export interface Sight {
  readonly view: ClusterView;
  readonly authority: Versioned<AuthorityRecord>;
  readonly leader: string;
  readonly request: Versioned<RejoinRequest>;
  readonly heartbeat: HeartbeatRecord | undefined;
}

/** What one look made of it. `differs`: what this step rests on isn't so any more. */
export type Seen<T> =
  | { readonly kind: 'ready'; readonly value: T; readonly at: Sight }
  | { readonly kind: 'differs'; readonly why: string; readonly at: Sight }
  | { readonly kind: 'waiting'; readonly detail: string };

export const ready = <T>(at: Sight, value: T): Seen<T> => ({ kind: 'ready', value, at });
export const waiting = (detail: string): Seen<never> => ({ kind: 'waiting', detail });
export const differs = (at: Sight, why: string): Seen<never> => ({ kind: 'differs', why, at });

export type Awaited<T> =
  | Exclude<Seen<T>, { kind: 'waiting' }>
  | { readonly kind: 'late'; readonly detail: string };

/**
 * Looks until there is something to do. While authority isn't open nothing is looked at. A member whose agent is silent for
 * `deadlines.open` ends the wait: `rejoin_overdue` (exit 5). One that has left the membership: `member_not_found` (exit 4).
 */
export async function awaitMember<T>(
  run: OperationRun,
  held: HeldOperation,
  options: { readonly timeoutMs: number; readonly look: (at: Sight) => Seen<T> },
): Promise<Awaited<T>> {
  const { member } = planOf(held.value);
  const silentMaxMs = run.contract.deadlines.openMs;
  let heardAtMs = 0;
  let detail = 'nothing was read yet';
  const waited = await waitFor({
    check: async (elapsedMs): Promise<Exclude<Seen<T>, { kind: 'waiting' }> | undefined> => {
      const view = await readOwn(run, held);
      const at = sightOf(view, held.value, member);
      if (view.heartbeats.has(member)) heardAtMs = elapsedMs;
      else if (elapsedMs - heardAtMs > silentMaxMs) throw silent(held.value, member);
      const seen = typeof at === 'string' ? waiting(at) : options.look(at);
      if (seen.kind !== 'waiting') return seen;
      ({ detail } = seen);
      report(run, held.value, { state: 'waiting', detail });
      return undefined;
    },
    timeoutMs: options.timeoutMs,
    signal: run.signal,
    clock: run.clock,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  return waited.kind === 'found' ? waited.value : { kind: 'late', detail };
}

async function readOwn(run: OperationRun, held: HeldOperation): Promise<ClusterView> {
  const { cluster } = held.value;
  const { member } = planOf(held.value);
  const [view] = await Promise.all([
    readClusterView(run.etcd, run.keys, cluster),
    run.journal.assertHeld(held),
  ]);
  if (view?.membership?.value.members[member] !== undefined) return view;
  throw refusedError(`${member} is no member of ${cluster} any more`, {
    code: 'member_not_found',
    next: `capstan operation abort ${held.value.id}`,
    data: { operation: held.value.id },
  });
}

function sightOf(view: ClusterView, { id }: OperationRecord, member: string): Sight | string {
  const { authority } = view;
  const request = view.rejoins.get(member);
  if (request?.value.operation !== id) return 'waiting for what is asked of the member to be readable';
  if (authority?.value.phase !== 'open' || authority.value.leader === null)
    return `waiting for ${view.name} to have a leader`;
  const { leader } = authority.value;
  const heartbeat = view.heartbeats.get(member)?.value;
  return { view, authority, leader, request, heartbeat };
}

/** Shut again, or still: only a salvage of what it holds now leads on. */
export const isShut = ({ heartbeat }: Sight): boolean => heartbeat?.state === 'quarantined';

function silent({ id }: OperationRecord, member: string) {
  return unknownError(`the agent of ${member} is silent`, {
    code: 'rejoin_overdue',
    retryable: true,
    next: `start it (capstan agent run ${member}), then capstan operation resume ${id}`,
    data: { operation: id, member },
  });
}
