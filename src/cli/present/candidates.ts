import type { ExcludedMember, FailoverCandidate } from '../../controlplane/failover/plan-types.ts';
import { type Section, table } from '../render/section.ts';

/** Who may lead next, the best first, and who may not, each with the reasons. */
export const candidateTables = ({
  candidates,
  excluded,
}: {
  readonly candidates: readonly FailoverCandidate[];
  readonly excluded: readonly ExcludedMember[];
}): Section[] => [
  table({
    title: 'candidates, the best first',
    columns: [
      { header: 'MEMBER', value: (row) => row.member },
      { header: 'REGION', value: (row) => row.region },
      { header: 'REPLAYED', value: (row) => row.replayedLsn, align: 'right' },
      { header: 'BECAUSE', value: (row) => row.reasons.join('; '), shrink: true },
    ],
    rows: candidates,
  }),
  table({
    title: 'not candidates',
    columns: [
      { header: 'MEMBER', value: (row) => row.member },
      { header: 'REGION', value: (row) => row.region },
      { header: 'BECAUSE', value: (row) => row.reasons.join('; '), shrink: true },
    ],
    rows: excluded,
  }),
];
