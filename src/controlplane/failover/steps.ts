import type { OperationRecord } from '../../domain/operation-records.ts';
import type { OperationStep } from '../operation/drive.ts';
import type { FailoverRun } from './context.ts';
import { decideStep, proofStep } from './decision.ts';
import { freezeStep } from './freeze.ts';
import { openStep, promoteStep, verifyStep } from './promotion.ts';
import type { FailoverPhase } from './phases.ts';
import { planOf } from './plan-types.ts';
import { regionalDecideStep } from './regional-decision.ts';
import { regionalFreezeStep } from './regional-freeze.ts';
import { regionalProofStep } from './regional-proof.ts';
import { settleStep } from './settle.ts';

type DrivenPhase = Exclude<FailoverPhase, 'fence'>;

type Steps = Readonly<Record<DrivenPhase, OperationStep<FailoverRun>>>;

const IN_REGION: Steps = {
  freeze: freezeStep,
  proof: proofStep,
  decide: decideStep,
  promote: promoteStep,
  verify: verifyStep,
  open: openStep,
  settle: settleStep,
};

const REGIONAL: Steps = {
  ...IN_REGION,
  proof: regionalProofStep,
  freeze: regionalFreezeStep,
  decide: regionalDecideStep,
};

/** What each phase of this operation does, by its recorded plan. */
export const stepsOf = (record: Pick<OperationRecord, 'plan'>): Steps =>
  planOf(record).path === 'regional' ? REGIONAL : IN_REGION;
