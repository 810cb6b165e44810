import { assertNever } from '../../domain/errors.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import { Machine } from '../operation/machine.ts';
import type { MembershipPlan } from './plan-types.ts';

/** `learner`, `begin` and `unvote` are never journaled as under way: their one transaction creates the operation. */
const ENDINGS = {
  done: { completed: null, differs: null, resumed: null, aborted: null },
  aborted: { completed: null, differs: null, resumed: null, aborted: null },
  // Nothing here contradicts what an earlier step recorded.
  failed: { completed: null, differs: null, resumed: null, aborted: null },
} as const;

const ADD = new Machine<'learner' | 'catch-up' | 'role' | 'settle'>('learner', {
  learner: { completed: 'catch-up', differs: null, resumed: null, aborted: null },
  'catch-up': { completed: 'role', differs: null, resumed: 'catch-up', aborted: 'aborted' },
  // A learner that fell behind meanwhile catches up once more.
  role: { completed: 'settle', differs: 'catch-up', resumed: 'role', aborted: 'aborted' },
  settle: { completed: 'done', differs: null, resumed: 'settle', aborted: null },
  ...ENDINGS,
});

const ADD_LEARNER = new Machine<'learner' | 'catch-up'>('learner', {
  learner: { completed: 'catch-up', differs: null, resumed: null, aborted: null },
  'catch-up': { completed: 'done', differs: null, resumed: 'catch-up', aborted: 'aborted' },
  ...ENDINGS,
});

const PROMOTE = new Machine<'begin' | 'catch-up' | 'role' | 'settle'>('begin', {
  begin: { completed: 'catch-up', differs: null, resumed: null, aborted: null },
  'catch-up': { completed: 'role', differs: null, resumed: 'catch-up', aborted: 'aborted' },
  role: { completed: 'settle', differs: 'catch-up', resumed: 'role', aborted: 'aborted' },
  settle: { completed: 'done', differs: null, resumed: 'settle', aborted: null },
  ...ENDINGS,
});

const REMOVE = new Machine<'unvote' | 'unsync' | 'out' | 'halt'>('unvote', {
  unvote: { completed: 'unsync', differs: null, resumed: null, aborted: null },
  unsync: { completed: 'out', differs: null, resumed: 'unsync', aborted: 'aborted' },
  out: { completed: 'halt', differs: null, resumed: 'out', aborted: 'aborted' },
  halt: { completed: 'done', differs: null, resumed: 'halt', aborted: null },
  ...ENDINGS,
});

export const planOf = (record: Pick<OperationRecord, 'plan'>): MembershipPlan =>
  record.plan as unknown as MembershipPlan;

export function machineFor({ action, goal }: Pick<MembershipPlan, 'action' | 'goal'>): Machine {
  switch (action) {
    case 'add':
      return goal === 'learner' ? ADD_LEARNER : ADD;
    case 'promote':
      return PROMOTE;
    case 'remove':
      return REMOVE;
    default:
      return assertNever(action);
  }
}
