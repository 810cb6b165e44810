import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { otherOf } from '../../domain/move-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { isLeaderHealthy } from '../failover/candidates.ts';
import type { Refusal } from '../operation/refusal.ts';
import { topologyRefusal } from '../rpo-gate-standing.ts';
import { legLost, type StreamView } from './stream-view.ts';

/** Callers wait while the rest arrives: more than this would be felt. */
const CUTOVER_LAG_BYTES_MAX = 1_048_576n;

export interface GateInputs {
  readonly view: StreamView;
  readonly contract: Contract;
  readonly verifyMaxAgeMs: number;
  /** Wall clock. */
  readonly nowMs: number;
}

/** Why shards can't come to or go from a cluster now; undefined: they can. */
export function clusterRefusal(
  name: string,
  cluster: ClusterView | undefined,
  { contract, nowMs }: Pick<GateInputs, 'contract' | 'nowMs'>,
): Refusal | undefined {
  const active = cluster?.activeOperation?.value;
  if (active !== undefined)
    return refusal(
      'operation_active',
      `operation ${active} holds cluster ${name}`,
      `capstan operation show ${active}`,
    );
  const phase = cluster?.authority?.value.phase;
  if (cluster === undefined || phase !== 'open')
    return refusal(
      'cluster_not_open',
      `cluster ${name} is ${phase === undefined ? 'not created' : `in phase ${phase}`}`,
      `capstan cluster show ${name}`,
    );
  if (!isLeaderHealthy({ view: cluster, contract, nowMs }))
    return refusal(
      'leader_unhealthy',
      `the leader of ${name} does not renew its lease or does not say that it leads`,
      `capstan cluster show ${name}`,
    );
  const inSync = cluster.inSync?.value;
  if (inSync === undefined || inSync.degraded || inSync.voters.length === 0)
    return refusal(
      'cluster_degraded',
      `cluster ${name} is degraded: no follower is known to hold every confirmed decision`,
      `capstan member list --cluster ${name}`,
    );
  return topologyRefusal(cluster, contract, nowMs);
}

/** Why a stream may not be cut over; the most fundamental first. Empty: it may, once nothing is waited for. */
export function cutoverRefusals(inputs: GateInputs): readonly Refusal[] {
  const { view } = inputs;
  const { value: record } = view.move;
  return [
    clusterRefusal(record.owner, view.owner, inputs),
    clusterRefusal(otherOf(record), view.other, inputs),
    refusedByLeg(view),
    refusedByPause(view),
    refusedByVerification(inputs),
  ].filter((found) => found !== undefined);
}

function refusedByLeg(view: StreamView): Refusal | undefined {
  const { operation, stream } = view.move.value;
  const lost = legLost(view);
  return lost === undefined
    ? undefined
    : refusal(
        'move_leg_lost',
        `stream ${stream} has to be copied anew: ${lost}`,
        `capstan rebalance status ${operation}`,
      );
}

function refusedByPause({ move: { value } }: StreamView): Refusal | undefined {
  return value.paused
    ? refusal(
        'move_paused',
        `stream ${value.stream} is paused by a person`,
        `capstan rebalance unpause ${value.operation}`,
      )
    : undefined;
}

/** What a comparison must show before callers are made to wait (M8). */
export function refusedByVerification({ view, verifyMaxAgeMs, nowMs }: GateInputs): Refusal | undefined {
  const { operation, stream, verification, differences } = view.move.value;
  const next = `capstan rebalance verify ${operation}`;
  if (differences.length > 0)
    return refusal(
      'move_differs',
      `stream ${stream}: both sides differ in ${differences.length} places`,
      `capstan rebalance status ${operation}; then ${next}`,
    );
  if (verification === null)
    return refusal(
      'verification_missing',
      `stream ${stream}: the rows of both sides were not compared since it follows`,
      next,
    );
  const ageMs = nowMs - Date.parse(verification.at);
  if (ageMs <= verifyMaxAgeMs) return undefined;
  return refusal(
    'verification_stale',
    `stream ${stream} was verified ${formatDurationMs(Math.round(ageMs))} ago, which is more than ${formatDurationMs(verifyMaxAgeMs)}`,
    next,
  );
}

/** What passes by itself and must have passed before a cutover; undefined: nothing. What is unknown is not small. */
export function cutoverWaits(view: StreamView): string | undefined {
  const { value: record } = view.move;
  const { ownerSays, otherSays } = view;
  const other = otherOf(record);
  if (ownerSays === undefined) return `the leader of ${record.owner} to report`;
  if (otherSays === undefined) return `the leader of ${other} to report`;
  const { yielding, following, lagBytes, wayBack } = otherSays.value;
  if (yielding !== null) return `${other}, which yields: ${yielding}`;
  if (!following) return `${other} to follow${problemIn(otherSays.value.problem)}`;
  if (wayBack.slot !== 'made' && wayBack.slot !== 'active')
    return `the way back's slot on ${other}${problemIn(wayBack.waitingFor)}`;
  if (lagBytes === null) return `${other}'s lag to be known`;
  if (BigInt(lagBytes) > CUTOVER_LAG_BYTES_MAX) return `${other}, which is ${lagBytes} bytes behind`;
  return undefined;
}

export const problemIn = (problem: string | null): string => (problem === null ? '' : ` (${problem})`);

const refusal = (code: string, message: string, next: string): Refusal => ({ code, message, next });
