import { assertNever } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { HeldOperation } from '../operation/journal.ts';

/** These stop an operation until a person says how else to go on: the recorded plan can't be carried out. */
const ASKS_FOR_ANOTHER_PLAN: ReadonlySet<string> = new Set([
  'target_behind',
  'target_not_frozen',
  'in_sync_changed',
  'loss_exceeds_plan',
]);

export type AdoptionVerdict =
  | { readonly kind: 'adoptable' }
  | { readonly kind: 'finished' }
  /** Only a person can go on with it. */
  | { readonly kind: 'left'; readonly why: string };

/**
 * Whether an agent may carry an operation on whose coordinator is gone, under its recorded plan and approvals.
 * `promotionRevision`: of the cluster's promotion report, undefined when there is none.
 */
export function judgeAdoption(held: HeldOperation, promotionRevision: string | undefined): AdoptionVerdict {
  const { kind, status, error } = held.value;
  // Its agents go on with what is under way, and whether callers are to wait for a cutover is a person's choice.
  if (kind === 'rebalance' && status !== 'done' && status !== 'aborted')
    return { kind: 'left', why: 'nobody drives it; its agents keep copying and following' };
  switch (status) {
    case 'done':
    case 'aborted':
      return { kind: 'finished' };
    case 'running':
      return error !== null && ASKS_FOR_ANOTHER_PLAN.has(error.code)
        ? { kind: 'left', why: `it asks for another plan (${error.code})` }
        : { kind: 'adoptable' };
    case 'failed':
      // Both revisions are etcd's own count: the report is the later write only if it was mended since.
      return promotionRevision !== undefined && BigInt(promotionRevision) > BigInt(held.revision)
        ? { kind: 'adoptable' }
        : { kind: 'left', why: `it failed, and what it read is as it was (${codeOf(held.value)})` };
    default:
      return assertNever(status);
  }
}

const codeOf = ({ error }: OperationRecord): string => error?.code ?? 'no code recorded';
