import { type Clock, timestampOf } from '../../clock/clock.ts';
import { systemClock } from '../../clock/system-clock.ts';
import { refusedError, usageError } from '../../domain/errors.ts';
import type { LossMember, LossRecord, LostDecision } from '../../domain/loss-records.ts';
import type { EtcdPort } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import type { Keys } from '../keys.ts';
import { concurrentChange, Transaction, type Versioned } from '../store.ts';
import { findLoss, readLost } from './find.ts';
import { chunksOf } from './report.ts';

export interface SignOffOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly operation: string;
  readonly actor: string;
  readonly reason: string;
  /** Members whose data can't be read any more: what only they held stays unknown. */
  readonly waive?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
}

export interface SignedOff {
  readonly changed: boolean;
  readonly record: LossRecord;
  readonly entries: readonly LostDecision[];
}

/**
 * Names what a failover has lost, for good. It may be run again wherever it was killed: the same record makes the same report,
 * and each write compares the record. Throws `loss_not_found`, `loss_not_salvaged` and `concurrent_change` (exit 4),
 * `loss_member_unknown` (exit 2).
 */
export async function signOffLoss(options: SignOffOptions): Promise<SignedOff> {
  const { etcd, keys, operation, actor, reason, clock = systemClock } = options;
  const found = await findLoss(etcd, keys, operation);
  if (found.value.status === 'signed-off') return answer(options, found.value, false);
  const waived = await waive(options, found);
  demandSalvaged(waived.value);
  const entries = await readLost(etcd, keys, waived.value);
  const { value, revision } = waived;
  const key = keys.loss(value.cluster, operation);
  for (const [chunk, content] of chunksOf(keys.reportChunks(operation), entries)) {
    if (!(await new Transaction(etcd).expect(key, revision).put(chunk, content).commit()))
      return afterAnother(options);
  }
  const at = timestampOf(clock);
  const signed: LossRecord = {
    ...value,
    status: 'signed-off',
    lost: entries.length,
    signedOff: { by: actor, reason, at },
  };
  const transaction = new Transaction(etcd).expect(key, revision).put(key, signed);
  auditIn(transaction, keys, entryOf(options, value, signed), clock);
  if (!(await transaction.commit())) return afterAnother(options);
  return { changed: true, record: signed, entries };
}

/** Somebody else has written the record since it was read: fine if it is signed off by now. */
async function afterAnother(options: SignOffOptions): Promise<SignedOff> {
  const { value } = await findLoss(options.etcd, options.keys, options.operation);
  if (value.status !== 'signed-off') throw concurrentChange(`the loss of ${options.operation}`);
  return answer(options, value, false);
}

const answer = async (
  { etcd, keys }: SignOffOptions,
  record: LossRecord,
  changed: boolean,
): Promise<SignedOff> => ({
  changed,
  record,
  entries: await readLost(etcd, keys, record),
});

/** Puts the waivers into the record first: what the report is made from is then the same for whoever makes it. */
async function waive(
  options: SignOffOptions,
  { value, revision }: Versioned<LossRecord>,
): Promise<Versioned<LossRecord>> {
  const { etcd, keys, operation, actor, reason, waive: names = [], clock = systemClock } = options;
  const unknown = names.find((name) => value.members[name] === undefined);
  if (unknown !== undefined) {
    throw usageError(`the loss of ${operation} doesn't name a member ${JSON.stringify(unknown)}`, {
      code: 'loss_member_unknown',
      next: `capstan loss show ${operation}`,
    });
  }
  const open = names.filter((name) => value.members[name]?.state === 'pending');
  if (open.length === 0) return { value, revision };
  const waived = { by: actor, reason, at: timestampOf(clock) };
  const members: Record<string, LossMember> = { ...value.members };
  for (const name of open)
    members[name] = {
      state: 'waived',
      incarnation: value.members[name]?.incarnation ?? null,
      found: null,
      waived,
    };
  const after: LossRecord = { ...value, members };
  const key = keys.loss(value.cluster, operation);
  const transaction = new Transaction(etcd).expect(key, revision).put(key, after);
  auditIn(transaction, keys, { ...entryOf(options, value, after), action: 'loss.waive' }, clock);
  const written = await transaction.commitAt();
  if (written === undefined) throw concurrentChange(`the loss of ${operation}`);
  return { value: after, revision: written };
}

function demandSalvaged({ operation, members }: LossRecord): void {
  const pending = Object.entries(members).filter(([, { state }]) => state === 'pending');
  const [first] = pending;
  if (first === undefined) return;
  const names = pending.map(([member]) => member);
  throw refusedError(`${names.join(', ')}: what it holds of the loss of ${operation} was not salvaged yet`, {
    code: 'loss_not_salvaged',
    next: `capstan member rejoin ${first[0]}; if its data can't be read any more: --waive ${first[0]}`,
    data: { operation, pending: names },
  });
}

const entryOf = ({ actor, operation, reason }: SignOffOptions, before: LossRecord, after: LossRecord) => ({
  actor,
  action: 'loss.sign-off',
  target: before.cluster,
  operation,
  before: { status: before.status, members: before.members },
  after: { status: after.status, members: after.members, lost: after.lost },
  reason,
});
