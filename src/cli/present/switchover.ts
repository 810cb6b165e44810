import type { SwitchoverPlan } from '../../controlplane/switchover/plan-types.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { facts, type Section } from '../render/section.ts';
import { candidateTables } from './candidates.ts';
import { refusalLines } from './refusals.ts';

/** What, where, risk, expected pause and loss: shown before anything is done, and by a dry run alone. */
export function planSections(plan: SwitchoverPlan): Section[] {
  const { pause, inSync } = plan;
  const expected = pause.expectedMs === null ? 'not known' : formatDurationMs(pause.expectedMs);
  return [
    facts(
      [
        ['cluster', plan.cluster],
        ['leader', `${plan.leader ?? 'none'}${plan.leaderHealthy ? '' : ' (not renewing)'}`],
        ['target', plan.target],
        ['term', `${plan.term} -> ${plan.nextTerm}`],
        ['epoch', plan.epoch],
        ['in sync', inSync?.voters.map(({ member }) => member).join(', ')],
        ['expected loss', `${plan.loss.decisions} decisions: ${plan.loss.statement}`],
        [
          'expected pause',
          `${expected} (${pause.basis}); budget ${formatDurationMs(pause.budgetMs)}, commands wait in the gateways`,
        ],
        ['opens', plan.opensDegraded ? 'degraded, until the old leader follows' : 'with a follower in sync'],
        ['approvals', plan.approvals.join(', ')],
        ['plan', plan.hash],
      ],
      `switchover of ${plan.cluster}`,
    ),
    ...candidateTables(plan),
    ...refusalLines(plan.refusals),
  ];
}
