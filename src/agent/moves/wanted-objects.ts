import { legName, type MoveRecord, otherOf } from '../../domain/move-records.ts';

/** The names that a stream wants in one cluster's Postgres; whatever else is named by its prefix goes. */
export interface WantedObjects {
  readonly subscription: string | null;
  /** The publication and the slot that are sent from here in this leg. */
  readonly sending: string | null;
  /** The publication and the slot that will be sent from here once the stream is turned round. */
  readonly wayBack: string | null;
}

const NONE: WantedObjects = { subscription: null, sending: null, wayBack: null };

/**
 * Pure: from the phase, the leg and the terms under which it was made. A leader of another term wants nothing of it: what it
 * inherited may miss rows.
 */
export function wantedObjects(record: MoveRecord, cluster: string, term: number): WantedObjects {
  const { phase, leg, owner, terms } = record;
  if (terms === null || terms[cluster] !== term) return NONE;
  if (!['copy', 'follow', 'seal', 'turn'].includes(phase)) return NONE;
  const other = otherOf(record);
  const name = legName(record, leg, terms[other] ?? 0);
  if (cluster === owner) return { ...NONE, sending: name };
  if (cluster !== other) return NONE;
  return {
    subscription: name,
    sending: null,
    wayBack: phase === 'turn' ? null : legName(record, leg + 1, terms[owner] ?? 0),
  };
}
