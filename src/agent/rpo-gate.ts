import type { Contract } from '../domain/contract.ts';
import { assertNever } from '../domain/errors.ts';

/**
 * - `unproved`: nothing has been heard yet under this term; not advertised.
 * - `advertised`: each decision is bounded by the last proof plus the gate.
 * - `withdrawing`: the claim is being taken back in etcd; decisions are still bounded.
 * - `withdrawn`: etcd says so; decisions are no longer bounded, or refused under the action `close`.
 * - `none`: the cluster has no remote follower, so there is nothing to claim.
 */
export type GateState = 'none' | 'unproved' | 'advertised' | 'withdrawing' | 'withdrawn';

export interface GateInput {
  readonly state: GateState;
  readonly hasObserver: boolean;
  readonly lagMs: number | undefined;
  /** Whether etcd holds a withdrawn claim of this term. */
  readonly withdrawnInEtcd: boolean;
  readonly rpo: Contract['rpo'];
  /** A claim is taken back this much before the gate, so that decisions needn't stop while etcd is being told. */
  readonly headStartMs: number;
}

/** The next state; a full table over what can be heard. Rising needs the lag below `release`, falling the gate. */
export function nextGate(input: GateInput): GateState {
  const { state, hasObserver, lagMs, withdrawnInEtcd, rpo, headStartMs } = input;
  if (!hasObserver) return 'none';
  const near = lagMs !== undefined && lagMs < rpo.releaseMs;
  const over = lagMs === undefined || lagMs >= rpo.gateMs - headStartMs;
  switch (state) {
    case 'none':
    case 'unproved':
      return near ? 'advertised' : withdrawnInEtcd ? 'withdrawn' : 'withdrawing';
    case 'advertised':
      return over ? 'withdrawing' : 'advertised';
    case 'withdrawing':
      if (near) return 'advertised';
      return withdrawnInEtcd ? 'withdrawn' : 'withdrawing';
    case 'withdrawn':
      return near ? 'advertised' : 'withdrawn';
    default:
      return assertNever(state);
  }
}

/** Until when decisions may go on, as a moment of the clock that `freshAtMs` is on; undefined: not bounded. */
export function decisionBound(options: {
  readonly state: GateState;
  readonly freshAtMs: number | undefined;
  readonly nowMs: number;
  readonly rpo: Contract['rpo'];
}): number | undefined {
  const { state, freshAtMs, nowMs, rpo } = options;
  switch (state) {
    case 'none':
      return undefined;
    case 'withdrawn':
      // Until the release, not only above the gate: a lag that hovers there would open and close admission by turns.
      return rpo.action === 'close' ? nowMs : undefined;
    case 'unproved':
    case 'advertised':
    case 'withdrawing':
      break;
  }
  return freshAtMs === undefined ? nowMs : freshAtMs + rpo.gateMs;
}
