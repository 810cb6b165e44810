import type { AuthorityRecord } from '../domain/records.ts';
import { type Action, type DecideInput, halt, hold } from './action.ts';

/** Whether this follower's report for that term and operation is in etcd, of the data that it has. */
export const isFrozenFor = (
  { estate, memory }: Pick<DecideInput, 'estate' | 'memory'>,
  term: number,
  operation: string | null,
): boolean =>
  estate.frozen?.term === term &&
  estate.frozen.operation === operation &&
  estate.frozen.incarnation === memory.incarnation;

/** The leader that a switchover has asked to hand over. It never starts as a primary here: backing out comes first. */
export function whileDraining({ estate, local, memory }: DecideInput, authority: AuthorityRecord): Action {
  const { handover: request, handedOver: report } = estate;
  if (local.data !== 'primary') return halt(local, 'quarantined', `it drains, but its data is ${local.data}`);
  if (local.process === 'starting') return hold('handing-over', 'waiting until Postgres answers');
  if (request?.operation !== authority.operation || request.term !== authority.term)
    return hold('handing-over', 'nobody says to whom');
  const reported = report?.operation === authority.operation && report.term === authority.term;
  const ours = reported && report.outcome === 'handed-over' && report.incarnation === memory.incarnation;
  return ours && local.process === 'stopped'
    ? hold('handing-over', `handed over to ${request.target}`)
    : { kind: 'hand-over', request };
}

/**
 * What the target of a switchover does once the leader has ended: there is nothing more to come, and it reports. Undefined: it
 * follows on, as every other follower of a leader that drains.
 */
export function whileLeaderDrains(
  { member, estate, local, memory }: DecideInput,
  authority: AuthorityRecord,
): Action | undefined {
  const { handover: request, handedOver: report } = estate;
  const { operation, term, leader } = authority;
  const ours = report?.operation === operation && report.term === term;
  const end = ours && report.outcome === 'handed-over' ? report.end : undefined;
  const chosen = request?.operation === operation && request?.target === member;
  const standby = local.data === 'standby' && local.process === 'running' && local.recovering === true;
  if (end === undefined || !chosen || !standby || operation === null) return undefined;
  // Decided on, it leads the next term.
  return isFrozenFor({ estate, memory }, term + 1, operation)
    ? hold('frozen', `holds what ${leader} handed over`)
    : { kind: 'take-over', term: term + 1, operation, end };
}
