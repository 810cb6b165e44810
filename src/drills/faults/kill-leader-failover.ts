import { failedOverAfter } from './means/failed-over.ts';
import { FAILOVER_HOLD } from './means/lease.ts';
import { holdDead } from './means/processes.ts';
import type { Fault } from './types.ts';

/** The successor goes on from every confirmed decision; the old host comes back into a later term. */
export const killLeaderFailover: Fault = {
  name: 'kill-leader-failover',
  summary: 'kill -9 of a leader’s whole host and a failover; later the old host comes back and rejoins',
  holdMs: FAILOVER_HOLD,
  inject: (ground, planned) => failedOverAfter(ground, planned, (leader) => holdDead(ground, leader)),
};
