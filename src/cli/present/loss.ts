import { formatAmount } from '../../domain/money.ts';
import type { LossRecord, LostDecision } from '../../domain/loss-records.ts';
import { commitTokenOfLost } from '../../gateway/lost-outcome.ts';
import { facts, table, type Column, type Section } from '../render/section.ts';
import type { LossReplayData, LossShowData, LossSummary } from '../schemas/loss.ts';

export const summarizeLoss = (record: LossRecord): LossSummary => ({
  operation: record.operation,
  cluster: record.cluster,
  status: record.status,
  formerTerm: record.formerTerm,
  term: record.term,
  timeline: record.timeline,
  lsn: record.lsn,
  shards: Object.keys(record.positions).length,
  members: Object.entries(record.members).map(([member, state]) => ({ member, ...state })),
  lost: record.lost,
  signedOff: record.signedOff,
  since: record.since,
});

type Entry = LossShowData['entries'][number];

export const lostEntry = (entry: LostDecision): Entry => ({
  commitToken: commitTokenOfLost(entry),
  shard: entry.shard,
  position: entry.position,
  issuer: entry.issuer,
  token: entry.token,
  desk: entry.desk,
  command: entry.command,
  outcome: entry.outcome,
  reservation: entry.reservation,
  amount: entry.amount === null ? null : formatAmount(BigInt(entry.amount)),
  reason: entry.reason,
  decidedAt: entry.decidedAt,
  maybeAcknowledged: entry.maybeAcknowledged,
  heldBy: [...entry.heldBy],
});

const stateOf = ({ member, state, found }: LossSummary['members'][number]) =>
  found === null ? `${member} ${state}` : `${member} ${state} (${found})`;

export const LOSS_COLUMNS: readonly Column<LossSummary>[] = [
  { header: 'OPERATION', value: (row) => row.operation },
  { header: 'CLUSTER', value: (row) => row.cluster },
  { header: 'STATUS', value: (row) => row.status },
  { header: 'LOST', value: (row) => row.lost, align: 'right' },
  { header: 'MEMBERS', value: (row) => row.members.map(stateOf).join(', '), shrink: true },
  { header: 'SINCE', value: (row) => row.since, wide: true },
];

export const lossSections = (loss: LossSummary): Section[] => [
  facts([
    ['operation', loss.operation],
    ['cluster', loss.cluster],
    ['status', loss.status],
    ['terms', `${loss.formerTerm} -> ${loss.term}`],
    ['kept up to', `${loss.lsn} on timeline ${loss.timeline}`],
    ['shards', loss.shards],
    ['members', loss.members.map(stateOf).join(', ')],
    ['lost', loss.lost],
    ['signed off', loss.signedOff === null ? null : `${loss.signedOff.by}: ${loss.signedOff.reason}`],
  ]),
];

export const entriesSection = (entries: LossShowData['entries'], title: string): Section =>
  table({
    title,
    columns: [
      { header: 'COMMIT TOKEN', value: (row: Entry) => row.commitToken },
      { header: 'ISSUER', value: (row) => row.issuer },
      { header: 'TOKEN', value: (row) => row.token },
      { header: 'COMMAND', value: (row) => row.command },
      { header: 'OUTCOME', value: (row) => row.outcome },
      { header: 'AMOUNT', value: (row) => row.amount, align: 'right' },
      { header: 'TOLD', value: (row) => (row.maybeAcknowledged ? 'maybe' : 'no') },
      { header: 'HELD BY', value: (row) => row.heldBy.join(', '), wide: true },
    ],
    rows: entries,
  });

export const replaySection = (outcomes: LossReplayData['outcomes']): Section =>
  table({
    columns: [
      { header: 'TOKEN', value: (row: LossReplayData['outcomes'][number]) => row.token },
      { header: 'ISSUER', value: (row) => row.issuer },
      { header: 'WAS', value: (row) => row.was.outcome },
      { header: 'NOW', value: (row) => row.now },
      { header: 'COMMIT TOKEN', value: (row) => row.commitToken },
      { header: 'REASON', value: (row) => row.reason, shrink: true },
    ],
    rows: outcomes,
  });
