import { parseLsn } from '../../domain/lsn.ts';
import type { LossMember, LossRecord } from '../../domain/loss-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { DecidedPrefix } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import { planOf } from './plan-types.ts';

/** What is put by the transaction that decides: what lies beyond the prefix may be lost, and whose data may tell. Pure. */
export function lossRecordOf(about: {
  readonly operation: OperationRecord;
  readonly view: ClusterView;
  readonly prefix: DecidedPrefix;
  readonly at: string;
}): LossRecord {
  const { operation, view, prefix, at } = about;
  const { term, nextTerm, inSync } = planOf(operation);
  const suspects = Object.keys(view.membership?.value.members ?? {}).filter(
    (member) => member !== prefix.member && !holdsNoMore({ operation, view, prefix, member }),
  );
  return {
    operation: operation.id,
    cluster: operation.cluster,
    formerTerm: term,
    term: nextTerm,
    timeline: prefix.timeline,
    lsn: prefix.lsn,
    positions: prefix.positions,
    voters: inSync?.voters ?? [],
    members: Object.fromEntries(suspects.map((member) => [member, suspect(view, member)])),
    status: 'open',
    lost: null,
    signedOff: null,
    since: at,
  };
}

const suspect = (view: ClusterView, member: string): LossMember => ({
  state: 'pending',
  incarnation: view.members.get(member)?.value.incarnation ?? null,
  found: null,
  waived: null,
});

/** Frozen by this operation as the data that is registered, on the decided timeline, at or below the prefix. */
function holdsNoMore(about: {
  readonly operation: OperationRecord;
  readonly view: ClusterView;
  readonly prefix: DecidedPrefix;
  readonly member: string;
}): boolean {
  const { operation, view, prefix, member } = about;
  const report = view.frozen.get(member)?.value;
  if (report?.operation !== operation.id || report.term !== planOf(operation).nextTerm) return false;
  if (report.incarnation !== view.members.get(member)?.value.incarnation) return false;
  const held = parseLsn(report.replayedLsn);
  const end = parseLsn(prefix.lsn);
  return report.timeline === prefix.timeline && held !== undefined && end !== undefined && held <= end;
}
