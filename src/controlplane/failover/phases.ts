import type { OperationRecord } from '../../domain/operation-records.ts';
import { Machine } from '../operation/machine.ts';
import { planOf } from './plan-types.ts';

/**
 * What a failover is about to do. The journal holds the step that is under way, so a step that was killed is
 * simply entered again. `fence` is never journaled as under way: its one transaction creates the operation.
 */
export type FailoverPhase =
  | 'fence'
  | 'freeze'
  | 'proof'
  | 'decide'
  | 'promote'
  | 'verify'
  | 'open'
  | 'settle';

/** In region: enough frozen voters are the proof. */
export const FAILOVER = new Machine<FailoverPhase>('fence', {
  fence: { completed: 'freeze', differs: null, resumed: null, aborted: null },
  freeze: { completed: 'proof', differs: null, resumed: 'freeze', aborted: 'aborted' },
  // A report that changed or went away since it was counted sends the operation back to waiting.
  proof: { completed: 'decide', differs: 'freeze', resumed: 'proof', aborted: 'aborted' },
  decide: { completed: 'promote', differs: 'freeze', resumed: 'decide', aborted: 'aborted' },
  // From here on only forward: the decided member may have promoted already.
  promote: { completed: 'verify', differs: null, resumed: 'promote', aborted: null },
  verify: { completed: 'open', differs: 'failed', resumed: 'verify', aborted: null },
  open: { completed: 'settle', differs: null, resumed: 'open', aborted: null },
  settle: { completed: 'done', differs: null, resumed: 'settle', aborted: null },
  done: { completed: null, differs: null, resumed: null, aborted: null },
  aborted: { completed: null, differs: null, resumed: null, aborted: null },
  // Nothing has opened: a mended promotion report is verified again.
  failed: { completed: null, differs: null, resumed: 'verify', aborted: null },
});

/** To another region: proved first, so that what the old side still confirms reaches the target. */
export const REGIONAL_FAILOVER = new Machine<FailoverPhase>('fence', {
  ...FAILOVER.transitions,
  fence: { completed: 'proof', differs: null, resumed: null, aborted: null },
  proof: { completed: 'freeze', differs: null, resumed: 'proof', aborted: 'aborted' },
  freeze: { completed: 'decide', differs: null, resumed: 'freeze', aborted: 'aborted' },
});

/** The table that an operation of this kind follows, by its recorded plan. */
export const machineOf = (record: Pick<OperationRecord, 'plan'>): Machine<FailoverPhase> =>
  planOf(record).path === 'regional' ? REGIONAL_FAILOVER : FAILOVER;
