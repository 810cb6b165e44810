import type { FailoverPlan } from '../../controlplane/failover/plan-types.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, type Section } from '../render/section.ts';
import { candidateTables } from './candidates.ts';
import { refusalLines } from './refusals.ts';
import { lossSections } from './loss-forecast.ts';

/** What, where, risk, expected pause and loss: shown before anything is done, and by a dry run alone. */
export function planSections(plan: FailoverPlan): Section[] {
  const { pause, inSync } = plan;
  const expected = pause.expectedMs === null ? 'not known' : formatDurationMs(pause.expectedMs);
  return [
    facts(
      [
        ['cluster', plan.cluster],
        ['leader', `${plan.leader ?? 'none'}${plan.leaderHealthy ? ' (looks healthy)' : ' (not renewing)'}`],
        ['term', `${plan.term} -> ${plan.nextTerm}`],
        ['epoch', plan.epoch],
        ['in sync', inSync?.voters.map(({ member }) => member).join(', ')],
        ['to region', plan.region],
        [
          'target',
          plan.target ?? `whichever frozen ${plan.region === null ? 'voter' : 'candidate'} holds most`,
        ],
        ['fence', plan.fence.statement],
        ['expected loss', `${plan.loss.decisions} decisions: ${plan.loss.statement}`],
        [
          'expected pause',
          `${expected} (${pause.basis}); gives up after ${formatDurationMs(pause.atMostMs)}`,
        ],
        [
          'RTO',
          `${formatDurationMs(plan.rto.forecastMs)} from the fault (${plan.rto.basis}), ${plan.rto.within ? 'within' : 'over'} ${formatDurationMs(plan.rto.maxMs)}`,
        ],
        [
          'opens',
          plan.opensDegraded ? 'degraded, until a follower is in sync again' : 'with a follower in sync',
        ],
        ['approvals', plan.approvals.join(', ')],
        ['automatic', automaticLine(plan)],
        ['plan', plan.hash],
      ],
      `failover of ${plan.cluster}`,
    ),
    ...lossSections(plan.loss.forecast),
    ...candidateTables(plan),
    ...refusalLines(plan.refusals),
  ];
}

const automaticLine = ({ automatic }: FailoverPlan): string =>
  automatic.wouldRun
    ? 'an agent begins it by itself'
    : `no agent begins it now: ${automatic.against.join('; ')}`;
