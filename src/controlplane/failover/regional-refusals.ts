import { formatDurationMs } from '../../domain/duration.ts';
import type { LossForecast } from './loss-forecast.ts';
import type { PlanRefusal } from './plan-types.ts';
import {
  refusedByAuthority,
  refusedByHealth,
  refusedByPolicy,
  refusedByTarget,
  type RefusalInputs,
} from './refusals.ts';

export interface RegionalRefusalInputs extends Omit<RefusalInputs, 'needed'> {
  readonly region: string;
  readonly forecast: LossForecast;
  readonly acceptLoss: number | undefined;
}

/** Everything that stands against a failover to another region, the most fundamental first. Empty: it may run. */
export function regionalRefusals(inputs: RegionalRefusalInputs): readonly PlanRefusal[] {
  const fundamental = refusedByAuthority(inputs) ?? refusedByRegion(inputs);
  if (fundamental !== undefined) return [fundamental];
  const run = `capstan failover run ${inputs.view.name} --region ${inputs.region}`;
  const candidates = refusedByCandidates(inputs);
  return [
    candidates,
    refusedByTarget(inputs),
    refusedByHealth(inputs, run),
    refusedByPolicy(inputs, run),
    // Without a candidate there is nothing whose loss could be forecast.
    candidates === undefined ? refusedByLoss(inputs, run) : undefined,
  ].filter((refusal) => refusal !== undefined);
}

function refusedByRegion({ view, region }: RegionalRefusalInputs): PlanRefusal | undefined {
  const members = view.membership?.value.members ?? {};
  const own = members[view.authority?.value.leader ?? '']?.region;
  if (own === region) {
    return {
      code: 'region_of_leader',
      message: `cluster ${view.name} is led from ${region}: a failover within it loses nothing`,
      override: null,
      next: `capstan failover run ${view.name}`,
    };
  }
  if (Object.values(members).some((member) => member.region === region)) return undefined;
  const others = new Set(Object.values(members).map((member) => member.region));
  others.delete(own ?? '');
  return {
    code: 'region_without_member',
    message: `cluster ${view.name} has no member in ${region}`,
    override: null,
    next: `regions: ${[...others].toSorted().join(', ') || 'none'}`,
  };
}

function refusedByCandidates({ view, region, sorted }: RegionalRefusalInputs): PlanRefusal | undefined {
  if (sorted.candidates.length > 0) return undefined;
  const why = sorted.excluded
    .filter((member) => member.region === region)
    .map(({ member, reasons }) => `${member}: ${reasons.join(', ')}`);
  return {
    code: 'no_candidate',
    message: `no member of cluster ${view.name} in ${region} can lead (${why.join('; ')})`,
    override: null,
    next: `bring a member's agent in ${region} back (capstan member list --cluster ${view.name})`,
  };
}

function refusedByLoss(
  { forecast, acceptLoss }: RegionalRefusalInputs,
  run: string,
): PlanRefusal | undefined {
  const { verdict, total, exposureMs, budgetMs, basis } = forecast;
  if (verdict === 'within') return undefined;
  if (acceptLoss !== undefined && acceptLoss >= (total ?? 0)) return undefined;
  const budget = `the RPO budget of ${formatDurationMs(budgetMs)}`;
  const message =
    total === null || exposureMs === null
      ? `what it would lose is not known, so it can’t be held to ${budget}: ${basis.join('; ')}`
      : `it would lose up to ${total} decisions of ${formatDurationMs(exposureMs)}, over ${budget}`;
  return {
    code: 'loss_over_budget',
    message: acceptLoss === undefined ? message : `${message}; only ${acceptLoss} are accepted`,
    override: '--accept-loss',
    next: `${run} --accept-loss ${total ?? 'N'}`,
  };
}
