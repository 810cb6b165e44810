import { failedOverAfter } from './means/failed-over.ts';
import { holdFull } from './means/disks.ts';
import { FAILOVER_HOLD } from './means/lease.ts';
import type { Fault } from './types.ts';

/** Neither its Postgres nor its agent is dead: a leader that can't write must stop leading, and say nothing more. */
export const fullDiskFailover: Fault = {
  name: 'full-disk-failover',
  summary:
    'every write of a leader’s host fails as on a full disk; it is failed over, later it has room again',
  holdMs: FAILOVER_HOLD,
  inject: (ground, planned) => failedOverAfter(ground, planned, (leader) => holdFull(ground, leader)),
};
