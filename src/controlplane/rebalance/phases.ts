import type { MoveGoalKind } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { Machine } from '../operation/machine.ts';
import type { RebalancePlan } from './plan-types.ts';

/**
 * What a rebalance is doing: its goal, or `standing` when the last one was reached or given up and nothing else was asked for.
 * The agents go on with whatever phase each stream is in, whether somebody drives the operation or not.
 */
export type RebalancePhase = 'begin' | MoveGoalKind | 'standing';

const GOAL = { completed: 'standing', differs: 'standing', aborted: 'aborted' } as const;
const ENDED = { completed: null, differs: null, resumed: null, aborted: null } as const;

export const REBALANCE = new Machine<RebalancePhase>('begin', {
  // Never journaled as under way: its one transaction creates the operation.
  begin: { completed: 'copy', differs: null, resumed: null, aborted: null },
  copy: { ...GOAL, resumed: 'copy' },
  verify: { ...GOAL, resumed: 'verify' },
  cutover: { ...GOAL, resumed: 'cutover' },
  reverse: { ...GOAL, resumed: 'reverse' },
  // `differs`: other streams are left.
  complete: { completed: 'done', differs: 'standing', resumed: 'complete', aborted: 'aborted' },
  cancel: { completed: 'aborted', differs: 'standing', resumed: 'cancel', aborted: 'aborted' },
  standing: { completed: null, differs: null, resumed: 'copy', aborted: 'aborted' },
  done: ENDED,
  aborted: ENDED,
  failed: ENDED,
});

export const planOf = (record: Pick<OperationRecord, 'plan'>): RebalancePlan =>
  record.plan as unknown as RebalancePlan;
