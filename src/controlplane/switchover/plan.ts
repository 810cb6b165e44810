import { canonicalHash } from '../../domain/canonical-json.ts';
import type { Contract } from '../../domain/contract.ts';
import type { ClusterView } from '../cluster-view.ts';
import { type Candidates, isLeaderHealthy } from '../failover/candidates.ts';
import { sortSuccessors } from './near.ts';
import type { SwitchoverPlan } from './plan-types.ts';
import { switchoverRefusals } from './refusals.ts';

export interface SwitchoverPlanInputs {
  readonly view: ClusterView;
  readonly mapVersion: number | null;
  readonly contract: Contract;
  readonly nowMs: number;
  readonly target?: string | null | undefined;
  /** Instead of the contract's `movePause.max`. */
  readonly pauseBudgetMs?: number | undefined;
  /** Open before the old leader follows although the contract doesn't say so. */
  readonly acceptDegraded?: boolean | undefined;
  readonly lastPause?: { readonly operation: string; readonly ms: number } | undefined;
}

/** Plans a switchover. Pure: the same inputs give the same plan, for a dry run and for a run. */
export function planSwitchover(inputs: SwitchoverPlanInputs): SwitchoverPlan {
  const { view, mapVersion, contract, nowMs, lastPause, acceptDegraded = false } = inputs;
  const authority = view.authority?.value;
  const term = authority?.term ?? 0;
  const sorted = sortSuccessors({ view, contract, nowMs });
  const leaderHealthy = isLeaderHealthy({ view, contract, nowMs });
  const asked = inputs.target ?? null;
  const target = asked ?? sorted.candidates[0]?.member ?? null;
  const pause = {
    expectedMs: lastPause?.ms ?? null,
    basis:
      lastPause === undefined
        ? 'no switchover of this cluster has been measured yet'
        : `measured by ${lastPause.operation}`,
    budgetMs: inputs.pauseBudgetMs ?? contract.movePause.maxMs,
  };
  return {
    kind: 'switchover',
    cluster: view.name,
    hash: planHash({ view, mapVersion, sorted, target, budgetMs: pause.budgetMs }),
    mapVersion,
    term,
    nextTerm: term + 1,
    epoch: view.membership?.value.epoch ?? 0,
    leader: authority?.leader ?? null,
    leaderHealthy,
    inSync: view.inSync?.value ?? null,
    target,
    incarnation: sorted.candidates.find(({ member }) => member === target)?.incarnation ?? null,
    ...sorted,
    loss: {
      decisions: '0',
      statement:
        'none: the leader is shut down, and the target decides only once it holds all that was there',
    },
    pause,
    opensDegraded: true,
    approvals: acceptDegraded ? ['accept-degraded'] : [],
    refusals: switchoverRefusals({
      view,
      contract,
      sorted,
      leaderHealthy,
      target: asked,
      acceptDegraded,
      nowMs,
      pause,
    }),
  };
}

/** Over what the decision rests on, and not over what moves all the time (LSNs, heartbeat ages). */
function planHash(about: {
  readonly view: ClusterView;
  readonly mapVersion: number | null;
  readonly sorted: Candidates;
  readonly target: string | null;
  readonly budgetMs: number;
}): string {
  const { view, mapVersion, sorted, target, budgetMs } = about;
  const inSync = view.inSync?.value;
  return canonicalHash({
    kind: 'switchover',
    cluster: view.name,
    mapVersion,
    term: view.authority?.value.term ?? null,
    leader: view.authority?.value.leader ?? null,
    epoch: view.membership?.value.epoch ?? null,
    inSync: inSync?.voters.map(({ member, incarnation }) => `${member} ${incarnation}`).toSorted() ?? null,
    candidates: sorted.candidates.map(({ member, incarnation }) => `${member} ${incarnation}`).toSorted(),
    target,
    budgetMs,
  });
}
