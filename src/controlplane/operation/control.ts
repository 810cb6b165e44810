import type { OperationKind } from '../../domain/operation-records.ts';
import { lossNotOpen } from '../failover/approvals.ts';
import { abortFailover, resumeFailover } from '../failover/resume.ts';
import { abortMembership, resumeMembership } from '../membership/resume.ts';
import { abortSwitchover, adoptSwitchover, resumeSwitchover } from '../switchover/resume.ts';
import { abortRebalance, adoptRebalance, resumeRebalance, type SidesOptions } from '../rebalance/resume.ts';
import { abortRejoin, resumeRejoin } from '../rejoin/resume.ts';
import { readOperation } from './journal.ts';
import type { OperationResult } from './run.ts';
import type { ControlOptions } from './take-over.ts';

interface OperationControl {
  /** Whether a person may accept a loss for it: of any other kind that would mean nothing. */
  readonly acceptsLoss?: true;
  readonly resume: (options: ControlOptions & SidesOptions) => Promise<OperationResult>;
  /** By an agent, of one that nobody drives. */
  readonly adopt: (options: ControlOptions) => Promise<OperationResult>;
  readonly abort: (
    options: ControlOptions & SidesOptions & { readonly reason?: string | undefined },
  ) => Promise<OperationResult>;
}

const CONTROLS: Readonly<Record<OperationKind, OperationControl>> = {
  failover: { acceptsLoss: true, resume: resumeFailover, adopt: resumeFailover, abort: abortFailover },
  membership: { resume: resumeMembership, adopt: resumeMembership, abort: abortMembership },
  switchover: { resume: resumeSwitchover, adopt: adoptSwitchover, abort: abortSwitchover },
  // Its agents keep it up by themselves; a person asks for the rest.
  rebalance: { resume: resumeRebalance, adopt: adoptRebalance, abort: abortRebalance },
  rejoin: { resume: resumeRejoin, adopt: resumeRejoin, abort: abortRejoin },
};

/**
 * Carries any operation on from where its journal says it is, after taking it over. `changed: false`: it was finished
 * already. Throws `operation_not_found` (exit 4) and what the operation's kind throws.
 */
export async function resumeOperation(options: ControlOptions & SidesOptions): Promise<OperationResult> {
  const { value } = await readOperation(options);
  const control = CONTROLS[value.kind];
  if (options.acceptLoss !== undefined && control.acceptsLoss !== true) throw lossNotOpen(value.id);
  return control.resume(options);
}

/** As `resumeOperation`, by an agent that was not asked: what has changed nothing yet is ended instead. */
export async function adoptOperation(options: ControlOptions): Promise<OperationResult> {
  const { value } = await readOperation(options);
  return CONTROLS[value.kind].adopt(options);
}

/** Gives any operation up, where its kind still allows that. */
export async function abortOperation(
  options: ControlOptions & SidesOptions & { readonly reason?: string | undefined },
): Promise<OperationResult> {
  const { value } = await readOperation(options);
  return CONTROLS[value.kind].abort(options);
}
