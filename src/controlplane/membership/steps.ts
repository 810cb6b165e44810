import type { OperationSteps } from '../operation/drive.ts';
import type { OperationRun } from '../operation/run.ts';
import { catchUpStep, roleStep, settleStep } from './join.ts';
import { haltStep, outStep, unsyncStep } from './leave.ts';

export const MEMBERSHIP_STEPS: OperationSteps<OperationRun> = {
  'catch-up': catchUpStep,
  role: roleStep,
  settle: settleStep,
  unsync: unsyncStep,
  out: outStep,
  halt: haltStep,
};
