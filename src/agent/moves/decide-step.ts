import { parseLsn } from '../../domain/lsn.ts';
import { type MoveRecord, type MoveReport, otherOf } from '../../domain/move-records.ts';
import type { MoveFacts, SlotFacts, SubscriptionFacts } from './move-facts.ts';
import { type WantedObjects, wantedObjects } from './wanted-objects.ts';

/** One stream as its cluster's leader finds it. */
export interface StreamSight {
  readonly record: MoveRecord;
  readonly cluster: string;
  /** Under which this member leads. */
  readonly term: number;
  /** Of this stream's objects. */
  readonly facts: MoveFacts;
  /** Whether a subscription stands here that no stream wants: it may still write. */
  readonly strangers: boolean;
  /** Whether the rows are gone, for this copy (or for good, in `clean`). */
  readonly wiped: boolean;
  /** What the other side's leader says of this attempt and leg, under the term that the leg was made for. */
  readonly peer: MoveReport | undefined;
  /** Why nothing should be applied right now. */
  readonly held: string | null;
  /** Whether this seal's marker is in the heads already. */
  readonly sealed: boolean;
}

/**
 * What is done next; each is carried out by name, so a repeat changes nothing.
 * `lost`: the owner's leg can't be gone on with. `rest`: nothing, until something changes.
 */
export type MoveStep =
  | { readonly kind: 'detach'; readonly names: readonly string[] }
  | { readonly kind: 'drop-slots'; readonly names: readonly string[] }
  | { readonly kind: 'drop-publications'; readonly names: readonly string[] }
  | { readonly kind: 'publish'; readonly name: string }
  | { readonly kind: 'make-slot'; readonly name: string }
  | { readonly kind: 'wipe' }
  | { readonly kind: 'subscribe'; readonly name: string; readonly copy: boolean }
  | { readonly kind: 'apply'; readonly name: string; readonly on: boolean }
  | { readonly kind: 'advance'; readonly name: string; readonly lsn: string }
  | { readonly kind: 'seal' }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'rest' };

const REST: MoveStep = { kind: 'rest' };

/** The step that brings this Postgres nearer to what the phase wants. Pure. What isn't wanted goes first, subscriptions before all else. */
export function decideStep(sight: StreamSight): MoveStep {
  const { record, cluster, term } = sight;
  const wanted = wantedObjects(record, cluster, term);
  const surplus = surplusStep(sight, wanted);
  if (surplus !== undefined) return surplus;
  if (cluster === record.owner) return ownerStep(sight, wanted);
  return cluster === otherOf(record) ? otherStep(sight, wanted) : REST;
}

function surplusStep({ facts }: StreamSight, wanted: WantedObjects): MoveStep | undefined {
  const sent = new Set([wanted.sending, wanted.wayBack]);
  const subscriptions = facts.subscriptions.filter(({ name }) => name !== wanted.subscription);
  if (subscriptions.length > 0) return { kind: 'detach', names: subscriptions.map(({ name }) => name) };
  const slots = facts.slots.filter(({ name }) => !sent.has(name));
  if (slots.length > 0) return { kind: 'drop-slots', names: slots.map(({ name }) => name) };
  const publications = facts.publications.filter((name) => !sent.has(name));
  return publications.length > 0 ? { kind: 'drop-publications', names: publications } : undefined;
}

function ownerStep({ record, facts, peer, sealed }: StreamSight, { sending }: WantedObjects): MoveStep {
  if (sending === null) return REST;
  const slot = facts.slots.find(({ name }) => name === sending);
  const subscribed = peer?.role === 'other' && peer.tables.total > 0;
  if (slot?.state === 'lost')
    return { kind: 'lost', reason: 'its slot kept more WAL than is allowed, and was given up' };
  if (slot === undefined && (record.phase !== 'copy' || subscribed))
    return { kind: 'lost', reason: 'its slot is gone' };
  if (!facts.publications.includes(sending)) {
    return record.phase === 'copy'
      ? { kind: 'publish', name: sending }
      : { kind: 'lost', reason: 'its publication is gone' };
  }
  if (slot === undefined) return { kind: 'make-slot', name: sending };
  if (record.phase === 'seal' && !sealed) return { kind: 'seal' };
  if (record.phase === 'turn' && record.handover !== null && !stands(slot, record.handover.lsn))
    return { kind: 'advance', name: sending, lsn: record.handover.lsn };
  return REST;
}

/** Whether nothing that lies before this LSN will be sent from the slot. */
export const stands = ({ confirmedLsn }: SlotFacts, lsn: string): boolean =>
  confirmedLsn !== null && (parseLsn(confirmedLsn) ?? 0n) >= (parseLsn(lsn) ?? 0n);

function otherStep(sight: StreamSight, wanted: WantedObjects): MoveStep {
  const { record, facts, wiped, strangers } = sight;
  const { phase } = record;
  const name = wanted.subscription;
  const wipes = phase === 'clean' || (phase === 'copy' && name !== null);
  if (wipes && !wiped) return strangers ? REST : { kind: 'wipe' };
  if (name === null) return REST;
  const subscription = facts.subscriptions.find((one) => one.name === name);
  if (subscription === undefined) return mayBegin(sight) ? subscribe(name, phase) : REST;
  const on = phase === 'seal' || sight.held === null;
  if (subscription.enabled !== on) return { kind: 'apply', name, on };
  return isWhole(subscription) && wanted.wayBack !== null ? wayBackStep(facts, wanted.wayBack) : REST;
}

const subscribe = (name: string, phase: MoveRecord['phase']): MoveStep => ({
  kind: 'subscribe',
  name,
  copy: phase === 'copy',
});

/** After a flip only once the slot stands past what came from here: else rows would come back that are here already. */
function mayBegin({ record: { phase }, peer, held }: StreamSight): boolean {
  if (peer?.role !== 'owner' || (peer.slot !== 'made' && peer.slot !== 'active')) return false;
  return phase === 'copy' ? held === null : phase === 'turn' && peer.turned;
}

function wayBackStep(facts: MoveFacts, name: string): MoveStep {
  const slot = facts.slots.find((one) => one.name === name);
  // Nothing was ever sent from it: another one is as good.
  if (slot?.state === 'lost') return { kind: 'drop-slots', names: [name] };
  if (!facts.publications.includes(name)) return { kind: 'publish', name };
  return slot === undefined ? { kind: 'make-slot', name } : REST;
}

/** Every table has been copied and follows. */
export const isWhole = ({ tables }: SubscriptionFacts): boolean =>
  tables.total > 0 && tables.ready === tables.total;
