import type { OperationStep } from '../operation/drive.ts';
import type { OperationRun } from '../operation/run.ts';
import { catchUpStep, restoreStep, voteStep } from './follow-steps.ts';
import { epochStep, learnerStep } from './membership-steps.ts';
import type { RejoinPhase } from './phases.ts';
import { salvageStep, signOffStep } from './salvage-step.ts';

export const REJOIN_STEPS: Readonly<Record<Exclude<RejoinPhase, 'begin'>, OperationStep<OperationRun>>> = {
  salvage: salvageStep,
  'sign-off': signOffStep,
  learner: learnerStep,
  restore: restoreStep,
  'catch-up': catchUpStep,
  epoch: epochStep,
  vote: voteStep,
};
