import type { OperationStep } from '../operation/drive.ts';
import type { FailoverRun } from './context.ts';
import { decideStep, proofStep } from './decision.ts';
import { freezeStep } from './freeze.ts';
import { openStep, promoteStep, verifyStep } from './promotion.ts';
import type { FailoverPhase } from './phases.ts';
import { settleStep } from './settle.ts';

type DrivenPhase = Exclude<FailoverPhase, 'fence'>;

export const FAILOVER_STEPS: Readonly<Record<DrivenPhase, OperationStep<FailoverRun>>> = {
  freeze: freezeStep,
  proof: proofStep,
  decide: decideStep,
  promote: promoteStep,
  verify: verifyStep,
  open: openStep,
  settle: settleStep,
};
