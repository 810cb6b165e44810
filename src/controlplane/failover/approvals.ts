import { type CapstanError, refusedError } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';

const ACCEPT_LOSS = 'accept-loss:';
const ATTEST_ISOLATED = 'attest-isolated:';

/** How an operation records what a person has approved: as text, so that any version can show it. */
export const acceptLossApproval = (decisions: number): string => `${ACCEPT_LOSS}${decisions}`;
export const attestationApproval = (statement: string): string => `${ATTEST_ISOLATED}${statement}`;

/** The most lost decisions that anybody has accepted for this operation; null: nobody has. */
export function acceptedLoss({ approvals }: Pick<OperationRecord, 'approvals'>): number | null {
  const accepted = approvals
    .filter((approval) => approval.startsWith(ACCEPT_LOSS))
    .map((approval) => Number(approval.slice(ACCEPT_LOSS.length)));
  return accepted.length === 0 ? null : Math.max(...accepted);
}

/** The attested isolation, in the words in which it was given. */
export const attestation = ({ approvals }: Pick<OperationRecord, 'approvals'>): string | undefined =>
  approvals.find((approval) => approval.startsWith(ATTEST_ISOLATED))?.slice(ATTEST_ISOLATED.length);

/** An acceptance that nothing would ask for is refused: it would stand in the journal and mean nothing. */
export const lossNotOpen = (id: string): CapstanError =>
  refusedError(`operation ${id} has no loss to be accepted any more, or never had`, {
    code: 'loss_not_open',
    next: `capstan operation resume ${id}`,
    data: { operation: id },
  });
