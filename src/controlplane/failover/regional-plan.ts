import { formatDurationMs } from '../../domain/duration.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { ProgressRecord } from '../../domain/agent-reports.ts';
import { standingOf } from '../automatic/standing.ts';
import { acceptLossApproval, attestationApproval } from './approvals.ts';
import { isLeaderHealthy } from './candidates.ts';
import { forecastLoss, type LossForecast } from './loss-forecast.ts';
import { candidateProgress, claimBoundMs, leaderProgress, rightEndsAtMs } from './loss-inputs.ts';
import type { FailoverPlanInputs } from './plan.ts';
import { planHash } from './plan-hash.ts';
import type { FailoverPlan } from './plan-types.ts';
import { sortRegionalCandidates } from './regional-candidates.ts';
import { regionalRefusals } from './regional-refusals.ts';
import { forecastRto, leaseWaitMs } from './rto-forecast.ts';

export interface RegionalPlanInputs extends FailoverPlanInputs {
  readonly region: string;
  readonly progress: ReadonlyMap<string, ProgressRecord>;
  readonly acceptLoss?: number | undefined;
  readonly attestIsolated?: string | undefined;
}

/** Plans a failover to another region. Pure: the same inputs give the same plan, for a dry run and for a run. */
export function planRegional(inputs: RegionalPlanInputs): FailoverPlan {
  const { view, mapVersion, contract, nowMs, region, acceptLoss, attestIsolated } = inputs;
  const { target = null, force = false, acceptDegraded = false, measured = [] } = inputs;
  const authority = view.authority?.value;
  const inSync = view.inSync?.value ?? null;
  const term = authority?.term ?? 0;
  const sorted = sortRegionalCandidates({ view, contract, nowMs }, region);
  const leaderHealthy = isLeaderHealthy({ view, contract, nowMs });
  const forecast = forecastOf(
    inputs,
    sorted.candidates.find(({ member }) => member === target) ?? sorted.candidates[0],
  );
  const proofMs = attestIsolated === undefined ? leaseWaitMs(view, contract) : 0;
  const rto = forecastRto({
    view,
    contract,
    nowMs,
    awaitsLapse: leaderHealthy && !force,
    proofMs,
    measured,
    path: 'regional',
  });
  const last = measured.find(({ path }) => path === 'regional');
  const { freezeMs, promoteMs, openMs } = contract.deadlines;
  const about = { view, contract, sorted, leaderHealthy, target, force, acceptDegraded };
  return {
    kind: 'failover',
    path: 'regional',
    region,
    cluster: view.name,
    hash: planHash({ view, mapVersion, sorted, target, regional: { region, verdict: forecast.verdict } }),
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
      kind: 'regional',
      voters: inSync?.voters.map(({ member }) => member) ?? [],
      needed: 0,
      statement:
        attestIsolated === undefined
          ? `the old leader’s agent reports its end, or enough recorded voters freeze, or ${formatDurationMs(proofMs)} are waited out after the fence`
          : `attested: ${attestIsolated}`,
    },
    loss: {
      decisions: forecast.total === null ? 'unknown' : String(forecast.total),
      statement: statementOf(forecast),
      forecast,
    },
    rto,
    pause: {
      expectedMs: last === undefined ? null : proofMs + rto.takeOverMs,
      basis:
        last === undefined
          ? 'no regional failover of this cluster has been measured yet'
          : `the wait for the proof, and the take-over as measured by ${last.operation}`,
      atMostMs: proofMs + 2 * freezeMs + promoteMs + openMs,
    },
    opensDegraded: true,
    approvals: [
      ...(force ? ['force'] : []),
      ...(acceptDegraded ? ['accept-degraded'] : []),
      ...(acceptLoss === undefined ? [] : [acceptLossApproval(acceptLoss)]),
      ...(attestIsolated === undefined ? [] : [attestationApproval(attestIsolated)]),
    ],
    automatic: {
      wouldRun: false,
      standing: standingOf(view, failoverPolicyOf(contract), nowMs),
      against: ['a failover to another region may lose decisions: only a person begins it'],
    },
    refusals: regionalRefusals({ ...about, region, forecast, acceptLoss }),
  };
}

function forecastOf(
  { view, contract, nowMs, progress }: RegionalPlanInputs,
  candidate: { readonly member: string; readonly incarnation: string } | undefined,
): LossForecast {
  const former = {
    leader: view.authority?.value.leader ?? null,
    term: view.authority?.value.term ?? 0,
  };
  return forecastLoss({
    leader: leaderProgress({ view, progress, former }),
    target: candidateProgress(progress, candidate),
    rightEndsAtMs: rightEndsAtMs({ view, former }, { contract, nowMs, fenced: false }),
    claimBoundMs: claimBoundMs({ view, former }, { contract, target: candidate?.member }),
    budgetMs: contract.rpo.budgetMs,
  });
}

function statementOf({ known, possible, exposureMs, budgetMs, basis }: LossForecast): string {
  if (known === null || possible === null) return `not known: ${basis.join('; ')}`;
  const exposure = exposureMs === null ? 'of a time that is not known' : `of ${formatDurationMs(exposureMs)}`;
  return `${known} that the leader published and the target lacks, ${possible} that it may have confirmed since, ${exposure} (budget ${formatDurationMs(budgetMs)})`;
}
