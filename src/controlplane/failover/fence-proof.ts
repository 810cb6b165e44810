import { formatDurationMs } from '../../domain/duration.ts';
import { assertNever } from '../../domain/errors.ts';
import type { StopReport } from '../../domain/agent-reports.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { attestation } from './approvals.ts';
import { planOf } from './plan-types.ts';
import type { FrozenVoters } from './proof.ts';

/** Why the old leader can confirm nothing any more, and what that rests on. */
export type FenceProof =
  | { readonly kind: 'agent-report'; readonly report: StopReport }
  | { readonly kind: 'frozen-voters'; readonly frozen: FrozenVoters }
  | { readonly kind: 'attested'; readonly by: string; readonly words: string }
  | { readonly kind: 'lease-waited'; readonly waitedMs: number; readonly neededMs: number };

export interface ProofRound {
  readonly operation: OperationRecord;
  readonly term: number;
  readonly view: ClusterView;
  readonly frozen: FrozenVoters | undefined;
  /** On this coordinator's monotonic clock, since its fence or its take-over had returned. */
  readonly waitedMs: number;
  /** The longest right that the old leader may have had at the fence, and the drift. */
  readonly neededMs: number;
}

/** The first that holds; undefined: nothing proves it yet. What was seen goes before what was said, and both before waiting. */
export function fenceProof(round: ProofRound): FenceProof | undefined {
  const { operation, view, frozen, waitedMs, neededMs } = round;
  const report = view.stopped.get(planOf(operation).leader ?? '')?.value;
  if (report !== undefined && whyReportDoesNotCount(round, report) === undefined)
    return { kind: 'agent-report', report };
  if (frozen?.holds === true) return { kind: 'frozen-voters', frozen };
  const words = attestation(operation);
  if (words !== undefined) return { kind: 'attested', by: operation.actor, words };
  return waitedMs >= neededMs ? { kind: 'lease-waited', waitedMs, neededMs } : undefined;
}

/** A report of another term, operation or incarnation says nothing of the leader that this operation has fenced. */
export function whyReportDoesNotCount(
  { operation, term, view }: Pick<ProofRound, 'operation' | 'term' | 'view'>,
  report: StopReport,
): string | undefined {
  const registered = view.members.get(report.member)?.value.incarnation;
  if (report.term !== term || report.operation !== operation.id)
    return `it reports for another operation (${report.operation}, term ${report.term})`;
  return report.incarnation === registered
    ? undefined
    : `it reports as incarnation ${report.incarnation}, and is registered as ${registered ?? 'none'}`;
}

/** For people. */
export function proofStatement(proof: FenceProof): string {
  switch (proof.kind) {
    case 'agent-report':
      return `the agent of ${proof.report.member} has reported that its Postgres has ended`;
    case 'frozen-voters':
      return `${proof.frozen.frozen.length} recorded voters are frozen, ${proof.frozen.needed} are enough`;
    case 'attested':
      return `${proof.by} attests: ${proof.words}`;
    case 'lease-waited':
      return `${formatDurationMs(proof.neededMs)} were waited out after the fence: the last right has ended`;
    default:
      return assertNever(proof);
  }
}
