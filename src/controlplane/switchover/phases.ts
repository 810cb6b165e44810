import { Machine } from '../operation/machine.ts';

/**
 * What a switchover is about to do. In `prepare` nothing has changed; from `drain` to `open` nobody decides; `back-out` ends it
 * with the old leader after its authority was given back.
 */
export type SwitchoverPhase =
  | 'begin'
  | 'prepare'
  | 'drain'
  | 'back-out'
  | 'decide'
  | 'promote'
  | 'verify'
  | 'open'
  | 'settle';

export const SWITCHOVER = new Machine<SwitchoverPhase>(
  'begin',
  {
    // Never journaled as under way: its one transaction creates the operation.
    begin: { completed: 'prepare', differs: null, resumed: null, aborted: null },
    prepare: { completed: 'drain', differs: 'aborted', resumed: 'prepare', aborted: 'aborted' },
    drain: { completed: 'decide', differs: 'back-out', resumed: 'drain', aborted: 'aborted' },
    'back-out': { completed: 'aborted', differs: null, resumed: 'back-out', aborted: 'aborted' },
    // Whoever gave the authority back since it drained was first; a report that changed is looked at again.
    decide: { completed: 'promote', differs: 'drain', resumed: 'decide', aborted: 'aborted' },
    // From here on only forward: the target may have promoted already.
    promote: { completed: 'verify', differs: null, resumed: 'promote', aborted: null },
    verify: { completed: 'open', differs: 'failed', resumed: 'verify', aborted: null },
    open: { completed: 'settle', differs: null, resumed: 'open', aborted: null },
    settle: { completed: 'done', differs: null, resumed: 'settle', aborted: null },
    done: { completed: null, differs: null, resumed: null, aborted: null },
    aborted: { completed: null, differs: null, resumed: null, aborted: null },
    failed: { completed: null, differs: null, resumed: 'verify', aborted: null },
  },
  ['drain', 'decide', 'promote', 'verify', 'open'],
);
