import { openStep, promoteStep, verifyStep } from '../failover/promotion.ts';
import type { OperationStep } from '../operation/drive.ts';
import { backOutStep } from './back-out.ts';
import type { SwitchoverRun } from './context.ts';
import { decideStep } from './decide.ts';
import { drainStep } from './drain.ts';
import type { SwitchoverPhase } from './phases.ts';
import { prepareStep } from './prepare.ts';
import { settleStep } from './settle.ts';

type DrivenPhase = Exclude<SwitchoverPhase, 'begin'>;

export const SWITCHOVER_STEPS: Readonly<Record<DrivenPhase, OperationStep<SwitchoverRun>>> = {
  prepare: prepareStep,
  drain: drainStep,
  'back-out': backOutStep,
  decide: decideStep,
  promote: promoteStep,
  verify: verifyStep,
  open: openStep,
  settle: settleStep,
};
