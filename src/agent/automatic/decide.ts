import { isFlapping, standingOf } from '../../controlplane/automatic/standing.ts';
import type { ClusterView } from '../../controlplane/cluster-view.ts';
import type { SeenLapsed } from '../../controlplane/failover/automatic-fence.ts';
import type { Contract, FailoverPolicy } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { failoverPolicyOf, lapseAfterMs } from '../../domain/failover-policy.ts';
import type { AuthorityRecord, MemberState } from '../../domain/records.ts';
import type { Sight } from './sight.ts';

/** The watch proves itself about once a second; beyond this an agent doesn't know what it has missed. */
const STALE_MAX_MS = 2_000;

export interface AutomaticInputs {
  readonly member: string;
  /** What this member's agent says of itself. */
  readonly state: MemberState;
  readonly incarnation: string | null;
  readonly contract: Contract | undefined;
  readonly view: ClusterView | undefined;
  readonly sight: Sight;
  /** An operation that this agent itself has driven and that stopped: it needs no waiting to know that nobody drives it. */
  readonly stopped: string | undefined;
  /** How many times in a row the leader's host refused a connection to its Postgres; 0: it wasn't asked, or didn't. */
  readonly refusals: number;
  /** The age of the view. */
  readonly staleForMs: number;
  /** Monotonic; what `sight` was taken on. */
  readonly nowMs: number;
  /** For pauses and the tally alone, which hold wall-clock times. */
  readonly wallMs: number;
}

/** Why an agent does nothing now. */
export type StandsBy =
  | 'off'
  | 'stale'
  | 'no-authority'
  | 'bootstrap'
  | 'paused'
  | 'blocked'
  | 'driven'
  | 'not-a-member'
  | 'not-open'
  | 'leads'
  | 'not-a-voter'
  | 'other-region'
  | 'degraded'
  | 'not-in-sync'
  | 'not-following'
  | 'first-lease'
  | 'lease-held';

export type AutomaticDecision =
  | { readonly kind: 'stand-by'; readonly why: StandsBy }
  /** Nobody drives this operation: read it, and carry it on if that needs no person. */
  | { readonly kind: 'adopt'; readonly operation: string }
  | { readonly kind: 'begin'; readonly seen: SeenLapsed; readonly reason: string }
  | { readonly kind: 'block'; readonly reason: string };

/** What this agent does now about its cluster's leader. Pure: SPEC.md of the control plane has the table. */
export function decideAutomatic(inputs: AutomaticInputs): AutomaticDecision {
  const { contract, view, staleForMs, wallMs, sight } = inputs;
  const policy = failoverPolicyOf(contract);
  if (contract === undefined || !policy.automatic) return standBy('off');
  if (!(staleForMs <= STALE_MAX_MS)) return standBy('stale');
  const authority = view?.authority?.value;
  if (view === undefined || authority === undefined) return standBy('no-authority');
  if (authority.phase === 'bootstrap') return standBy('bootstrap');
  const standing = standingOf(view, policy, wallMs);
  if (standing !== 'on') return standBy(standing);
  const operation = view.activeOperation?.value;
  if (operation !== undefined) return decideAdoption(inputs, view, operation, policy.adoptAfterMs);
  if (authority.phase !== 'open') return standBy('not-open');
  const unable = whyNotAble(inputs, view, authority);
  if (unable !== undefined) return standBy(unable);
  const lapse = deathOf(inputs, policy, authority) ?? lapseOf(inputs, contract, view, authority);
  if (lapse.why !== undefined) return standBy(lapse.why);
  if (isFlapping(view.tally, policy, wallMs)) return { kind: 'block', reason: lapse.reason };
  const { authorityRevision, leaseRevision } = sight;
  const seen = { authorityRevision, leaseRevision, leaderIsDead: lapse.dead };
  return { kind: 'begin', seen, reason: lapse.reason };
}

/** A coordinator that has taken an operation over is seen to drive it by then. */
const OWN_KEY_GONE_MS = 500;

function decideAdoption(
  { member, sight, nowMs, stopped }: AutomaticInputs,
  view: ClusterView,
  operation: string,
  adoptAfterMs: number,
): AutomaticDecision {
  if (view.membership?.value.members[member] === undefined) return standBy('not-a-member');
  const waitMs = stopped === operation ? OWN_KEY_GONE_MS : adoptAfterMs;
  const silent = sight.operation === operation && nowMs - sight.coordinatorSeenAtMs >= waitMs;
  return silent ? { kind: 'adopt', operation } : standBy('driven');
}

/** Only a follower that holds every confirmed decision, beside the leader that it replaces. */
function whyNotAble(
  { member, state, incarnation }: AutomaticInputs,
  { membership, inSync }: ClusterView,
  authority: AuthorityRecord,
): StandsBy | undefined {
  if (authority.leader === null || authority.leader === member) return 'leads';
  const own = membership?.value.members[member];
  if (own?.role !== 'voter') return 'not-a-voter';
  if (membership?.value.members[authority.leader]?.region !== own.region) return 'other-region';
  const record = inSync?.value;
  if (record === undefined || record.degraded || record.voters.length === 0 || record.required === 0)
    return 'degraded';
  const recorded = record.voters.some(
    (voter) => voter.member === member && voter.incarnation === incarnation,
  );
  if (!recorded) return 'not-in-sync';
  return state === 'following' ? undefined : 'not-following';
}

type Lapse =
  | { readonly why: 'first-lease' | 'lease-held'; readonly reason?: undefined }
  | { readonly why?: undefined; readonly reason: string; readonly dead: boolean };

/** Two refusals: one may have met a Postgres that was just being started. */
const REFUSALS_MIN = 2;

/** How long both the leader's lease and its agent have been silent. */
export const leaderSilentMs = (sight: Sight, nowMs: number): number =>
  nowMs - Math.max(sight.leaseChangedAtMs, sight.heartbeatChangedAtMs);

/** Better than a lapse: its host says that its Postgres is gone, and nobody is there to start it again. */
function deathOf(
  { sight, nowMs, refusals }: AutomaticInputs,
  { deadAfterMs = Infinity }: FailoverPolicy,
  { leader }: AuthorityRecord,
): Lapse | undefined {
  const silentMs = leaderSilentMs(sight, nowMs);
  if (refusals < REFUSALS_MIN || silentMs < deadAfterMs) return undefined;
  const silent = formatDurationMs(silentMs);
  return {
    dead: true,
    reason: `the Postgres of ${leader ?? ''} refuses connections, and its agent is silent for ${silent}`,
  };
}

/** A record that stays the same, and not a silent watch, says that the leader is gone. */
function lapseOf(
  { sight, nowMs }: AutomaticInputs,
  contract: Contract,
  view: ClusterView,
  authority: AuthorityRecord,
): Lapse {
  const lease = view.lease?.value;
  const { term, leader } = authority;
  if (lease?.term !== term || lease.leader !== leader) {
    const waitedMs = nowMs - sight.authoritySinceMs;
    return waitedMs < contract.deadlines.openMs
      ? { why: 'first-lease' }
      : {
          dead: false,
          reason: `${leader ?? ''} has taken no lease of term ${term} for ${formatDurationMs(waitedMs)}`,
        };
  }
  const silentMs = nowMs - sight.leaseChangedAtMs;
  return silentMs < lapseAfterMs(contract)
    ? { why: 'lease-held' }
    : {
        dead: false,
        reason: `${leader ?? ''} has not renewed its lease of term ${term} for ${formatDurationMs(silentMs)}`,
      };
}

const standBy = (why: StandsBy): AutomaticDecision => ({ kind: 'stand-by', why });
