import type { Contract } from '../../domain/contract.ts';
import type { InSyncRecord } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { automaticOutlook } from './automatic-outlook.ts';
import { isLeaderHealthy, sortCandidates } from './candidates.ts';
import { planHash } from './plan-hash.ts';
import type { FailoverPlan, PlanRefusal } from './plan-types.ts';
import { planRefusals } from './refusals.ts';
import { forecastRto, type MeasuredPause } from './rto-forecast.ts';

export interface FailoverPlanInputs {
  readonly view: ClusterView;
  readonly mapVersion: number | null;
  readonly contract: Contract;
  readonly nowMs: number;
  readonly target?: string | null | undefined;
  /** Go on although the leader looks healthy. */
  readonly force?: boolean | undefined;
  /** An agent has seen that nothing of the leader runs: its last renewal doesn't make it healthy. */
  readonly leaderIsDead?: boolean | undefined;
  /** Open without a same-region follower although the contract doesn't say so. */
  readonly acceptDegraded?: boolean | undefined;
  /** Failovers of this cluster, the newest first. */
  readonly measured?: readonly MeasuredPause[] | undefined;
}

/** Plans an in-region failover. Pure: the same inputs give the same plan, for a dry run and for a run. */
export function planFailover(inputs: FailoverPlanInputs): FailoverPlan {
  const { view, mapVersion, contract, nowMs, target = null, force = false, acceptDegraded = false } = inputs;
  const authority = view.authority?.value;
  const inSync = view.inSync?.value ?? null;
  const term = authority?.term ?? 0;
  const measured = inputs.measured ?? [];
  const lastPause = measured.find(({ path }) => path === 'in-region');
  const sorted = sortCandidates({ view, contract, nowMs });
  const leaderHealthy = inputs.leaderIsDead !== true && isLeaderHealthy({ view, contract, nowMs });
  const needed = neededFrozen(inSync);
  const { freezeMs, promoteMs, openMs } = contract.deadlines;
  const about = { view, contract, sorted, leaderHealthy, needed };
  const refusals: readonly PlanRefusal[] = planRefusals({ ...about, target, force, acceptDegraded });
  const unaided = planRefusals({ ...about, target: null, force: false, acceptDegraded: false });
  return {
    kind: 'failover',
    path: 'in-region',
    region: null,
    cluster: view.name,
    hash: planHash({ view, mapVersion, sorted, target }),
    mapVersion,
    term,
    nextTerm: term + 1,
    epoch: view.membership?.value.epoch ?? 0,
    leader: authority?.leader ?? null,
    leaderHealthy,
    inSync,
    target,
    ...sorted,
    fence: {
      kind: 'frozen-voters',
      voters: inSync?.voters.map(({ member }) => member) ?? [],
      needed,
      statement: `${needed} of ${inSync?.voters.length ?? 0} recorded voters freeze, so that the old leader can't get a commit acknowledged`,
    },
    loss: {
      decisions: '0',
      statement:
        'none: each confirmed decision was flushed by the recorded in-sync set; a request that is in flight gets `unknown` and its token resolves it',
      forecast: null,
    },
    rto: forecastRto({
      view,
      contract,
      nowMs,
      awaitsLapse: leaderHealthy && !force,
      proofMs: 0,
      measured,
      path: 'in-region',
    }),
    pause: {
      expectedMs: lastPause?.ms ?? null,
      basis:
        lastPause === undefined
          ? 'no failover of this cluster has been measured yet'
          : `measured by ${lastPause.operation}`,
      atMostMs: freezeMs + promoteMs + openMs,
    },
    // The next leader regrows its in-sync set only after it has opened.
    opensDegraded: true,
    approvals: [...(force ? ['force'] : []), ...(acceptDegraded ? ['accept-degraded'] : [])],
    automatic: automaticOutlook({ view, contract, nowMs, candidates: sorted.candidates, refusals: unaided }),
    refusals,
  };
}

/** With n voters of which k acknowledge each commit, n-k+1 that are frozen leave fewer than k. */
const neededFrozen = (inSync: InSyncRecord | null): number =>
  inSync === null || inSync.voters.length === 0 ? 1 : inSync.voters.length - inSync.required + 1;
