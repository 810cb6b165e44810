import { Machine } from '../operation/machine.ts';

/** What a rejoin is about to do. `begin` is never journaled as under way: its one transaction creates the operation. */
export type RejoinPhase =
  | 'begin'
  | 'salvage'
  | 'sign-off'
  | 'learner'
  | 'restore'
  | 'catch-up'
  | 'epoch'
  | 'vote';

/** `differs`: a failover has changed what the step rests on, and the operation goes back to what is true again. */
export const REJOIN = new Machine<RejoinPhase>('begin', {
  begin: { completed: 'salvage', differs: null, resumed: null, aborted: null },
  salvage: { completed: 'sign-off', differs: 'salvage', resumed: 'salvage', aborted: 'aborted' },
  'sign-off': { completed: 'learner', differs: 'salvage', resumed: 'sign-off', aborted: 'aborted' },
  learner: { completed: 'restore', differs: 'salvage', resumed: 'learner', aborted: 'aborted' },
  // Given up from here on, what the agent has begun ends as a learner that follows.
  restore: { completed: 'catch-up', differs: 'learner', resumed: 'restore', aborted: 'aborted' },
  'catch-up': { completed: 'epoch', differs: 'salvage', resumed: 'catch-up', aborted: 'aborted' },
  // It is about to count again: only forward.
  epoch: { completed: 'vote', differs: 'salvage', resumed: 'epoch', aborted: null },
  vote: { completed: 'done', differs: 'salvage', resumed: 'vote', aborted: null },
  done: { completed: null, differs: null, resumed: null, aborted: null },
  aborted: { completed: null, differs: null, resumed: null, aborted: null },
  failed: { completed: null, differs: null, resumed: 'salvage', aborted: null },
});
