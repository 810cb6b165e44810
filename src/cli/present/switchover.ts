import type { SwitchoverPlan } from '../../controlplane/switchover/plan-types.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { refusedError, type CapstanError } from '../../domain/errors.ts';
import { facts, table, text, type Section } from '../render/section.ts';

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
    table({
      title: 'candidates, the best first',
      columns: [
        { header: 'MEMBER', value: (row) => row.member },
        { header: 'REGION', value: (row) => row.region },
        { header: 'REPLAYED', value: (row) => row.replayedLsn, align: 'right' },
        { header: 'BECAUSE', value: (row) => row.reasons.join('; '), shrink: true },
      ],
      rows: plan.candidates,
    }),
    table({
      title: 'not candidates',
      columns: [
        { header: 'MEMBER', value: (row) => row.member },
        { header: 'REGION', value: (row) => row.region },
        { header: 'BECAUSE', value: (row) => row.reasons.join('; '), shrink: true },
      ],
      rows: plan.excluded,
    }),
    ...plan.refusals.map(({ message, override }) =>
      text(`refused: ${message}${override === null ? '' : ` (${override} accepts it)`}`),
    ),
  ];
}

/** The refusal that a run of this plan would meet; undefined: it may run. */
export function planRefusal({ refusals, hash }: SwitchoverPlan): CapstanError | undefined {
  const [first] = refusals;
  if (first === undefined) return undefined;
  return refusedError(refusals.map(({ message }) => message).join('; '), {
    code: first.code,
    next: first.next,
    data: { refusals, planHash: hash },
  });
}
