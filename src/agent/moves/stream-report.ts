import { parseLsn } from '../../domain/lsn.ts';
import type { MoveRecord, MoveReport, OtherMoveReport, OwnerMoveReport } from '../../domain/move-records.ts';
import { type HeadRow, positionsOf } from './arrival.ts';
import { isWhole, stands } from './decide-step.ts';
import type { MoveFacts } from './move-facts.ts';
import type { WantedObjects } from './wanted-objects.ts';

/** Of this host, for owners. */
export interface HostFigures {
  readonly diskFreeBytes: bigint | undefined;
  readonly walBytesPerSecond: number | null;
  readonly commitMs: number | null;
}

export function ownerReport(about: {
  readonly record: MoveRecord;
  readonly facts: MoveFacts;
  readonly wanted: WantedObjects;
  readonly heads: readonly HeadRow[];
  readonly host: HostFigures;
  readonly sealed: OwnerMoveReport['sealed'];
}): OwnerMoveReport {
  const { record, facts, wanted, heads, host, sealed } = about;
  const slot = facts.slots.find(({ name }) => name === wanted.sending);
  return {
    role: 'owner',
    slot: slot?.state ?? 'absent',
    retainedWalBytes: slot?.retainedBytes ?? null,
    walBytesPerSecond: host.walBytesPerSecond,
    diskFreeBytes: host.diskFreeBytes === undefined ? null : String(host.diskFreeBytes),
    commitMs: host.commitMs,
    // The heads were read after: what is said to be written holds them.
    written: { lsn: facts.flushedLsn, positions: positionsOf(heads) },
    sealed,
    turned:
      record.handover !== null &&
      slot !== undefined &&
      facts.subscriptions.length === 0 &&
      stands(slot, record.handover.lsn),
  };
}

export function otherReport(about: {
  readonly facts: MoveFacts;
  readonly wanted: WantedObjects;
  readonly heads: readonly HeadRow[];
  readonly peer: MoveReport | undefined;
  readonly wiped: boolean;
  readonly copied: { readonly rows: string | null; readonly bytes: string | null };
  readonly yielding: string | null;
  readonly waitingFor: string | null;
  readonly arrived: OtherMoveReport['arrived'];
}): OtherMoveReport {
  const { facts, wanted, heads, peer, wiped, copied, yielding, waitingFor, arrived } = about;
  const subscription = facts.subscriptions.find(({ name }) => name === wanted.subscription);
  const written = peer?.role === 'owner' ? (peer.written ?? null) : null;
  const whole = subscription !== undefined && isWhole(subscription);
  return {
    role: 'other',
    wiped,
    tables: subscription?.tables ?? { total: 0, ready: 0 },
    rowsCopied: copied.rows,
    bytesCopied: copied.bytes,
    lagBytes: whole && written !== null ? behind(written.lsn, subscription.receivedLsn) : null,
    lagPositions: whole && written !== null ? positionsBehind(written.positions, heads) : null,
    following: whole && subscription.enabled && subscription.applies,
    yielding,
    wayBack: {
      slot: facts.slots.find(({ name }) => name === wanted.wayBack)?.state ?? 'absent',
      waitingFor,
    },
    arrived,
  };
}

function behind(writtenLsn: string, receivedLsn: string | null): string | null {
  const written = parseLsn(writtenLsn);
  const received = receivedLsn === null ? undefined : parseLsn(receivedLsn);
  if (written === undefined || received === undefined) return null;
  return String(written > received ? written - received : 0n);
}

/** Null where a shard that the owner has isn't here at all. */
function positionsBehind(
  written: Readonly<Record<string, string>>,
  heads: readonly HeadRow[],
): string | null {
  const own = new Map(heads.map(({ shard, position }) => [String(shard), BigInt(position)]));
  let sum = 0n;
  for (const [shard, position] of Object.entries(written)) {
    const here = own.get(shard);
    if (here === undefined) return null;
    if (BigInt(position) > here) sum += BigInt(position) - here;
  }
  return String(sum);
}
