import { join } from 'node:path';
import { timestampOf } from '../../clock/clock.ts';
import { openLossesOf } from '../../controlplane/loss/naming.ts';
import { revisionOf, Transaction, type Versioned } from '../../controlplane/store.ts';
import type { LossChunk, LossRecord, LostDecision } from '../../domain/loss-records.ts';
import type { MemberRecord } from '../../domain/records.ts';
import type { RejoinRequest, SalvageReport } from '../../domain/rejoin-records.ts';
import { unreachableError } from '../../domain/errors.ts';
import type { AgentContext } from '../context.ts';
import { writeDurably } from '../durable-file.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import type { Work } from '../work.ts';
import { askLeader } from '../ask-leader.ts';
import { cutsOf, lostRows, NEWER_TERMS, termOfData } from './lost-rows.ts';
import { withShutData } from './shut-data.ts';

/** Well below what etcd takes in one request, whatever the rows hold. */
const CHUNK_ROWS = 250;

/**
 * Keeps all that this member's shut data holds beyond the present log: in etcd, under the report of the failover that lost it
 * (else of the rejoin itself), and in a file beside the data. Killed anywhere, it reads the same rows once more.
 */
export async function salvage(
  work: Work,
  { context, postgres }: { readonly context: AgentContext; readonly postgres: LocalPostgres },
  { request, leader }: { readonly request: RejoinRequest; readonly leader: MemberRecord },
): Promise<void> {
  const { view, signal } = work;
  const { member, logger, files, account, clock } = context;
  const open = openLossesOf(view, member).flatMap((id) => view.losses.get(id) ?? []);
  // Whoever was the authority before the first of them decided whatever is found here.
  const loss = open.toSorted((a, b) => a.value.term - b.value.term)[0];
  const under = loss?.value.operation ?? request.operation;
  const maybeAcknowledged = mayHaveBeenAcknowledged(loss?.value, member, request.incarnation);
  const kept = await withShutData(context, postgres, signal, async (session, end) => {
    const term = await termOfData(session);
    const { rows: began } = await askLeader(context, leader.name, (client) =>
      client.query<{ shard: number; first: string }>(NEWER_TERMS, [term, context.cluster]),
    );
    const cuts = cutsOf(
      began,
      open.map(({ value }) => value),
    );
    const entries: LostDecision[] = [];
    let chunk = 0;
    for await (const rows of lostRows(session, cuts, {
      heldBy: member,
      maybeAcknowledged,
      chunkRows: CHUNK_ROWS,
    })) {
      await writeChunk(work, { under, chunk, rows });
      entries.push(...rows);
      chunk += 1;
    }
    return { entries, end };
  });
  const lines = kept.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  await writeDurably(join(files.folder, `salvage-${under}.jsonl`), lines, account);
  const report: SalvageReport = {
    operation: request.operation,
    member,
    incarnation: request.incarnation,
    term: request.term,
    found: kept.entries.length,
    under,
    timeline: kept.end.timeline,
    lsn: kept.end.lsn,
    salvagedAt: timestampOf(clock),
  };
  await writeReport(work, report, open);
  logger.info({ found: report.found, under, lsn: report.lsn }, 'salvaged');
}

/** A recorded voter's flush may have let an answer out; a degraded leader answers on its own. */
export const mayHaveBeenAcknowledged = (
  loss: Pick<LossRecord, 'voters'> | undefined,
  member: string,
  incarnation: string | null,
): boolean =>
  loss !== undefined &&
  (loss.voters.length === 0 ||
    loss.voters.some((voter) => voter.member === member && voter.incarnation === incarnation));

/** Each write demands that it is still this that is asked for, under the same authority. */
function asAsked({ context, view, authority }: Work): Transaction {
  const { etcd, keys, cluster, member } = context;
  return new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .expect(keys.rejoin(cluster, member), revisionOf(view.rejoins.get(member)));
}

async function writeChunk(
  work: Work,
  about: { readonly under: string; readonly chunk: number; readonly rows: readonly LostDecision[] },
): Promise<void> {
  const { keys, member } = work.context;
  const value: LossChunk = { entries: about.rows };
  const key = keys.salvageChunks(about.under, member) + String(about.chunk).padStart(6, '0');
  if (!(await asAsked(work).put(key, value).commit())) throw overtaken();
}

async function writeReport(
  work: Work,
  report: SalvageReport,
  losses: readonly Versioned<LossRecord>[],
): Promise<void> {
  const { keys, cluster, member } = work.context;
  const transaction = asAsked(work).put(keys.salvagedReport(cluster, member), report);
  for (const { value, revision } of losses) {
    const found = value.operation === report.under ? report.found : 0;
    const { incarnation } = report;
    const members = {
      ...value.members,
      [member]: { state: 'salvaged', incarnation, found, waived: null } as const,
    };
    const key = keys.loss(cluster, value.operation);
    transaction.expect(key, revision).put(key, { ...value, members } satisfies LossRecord);
  }
  if (!(await transaction.commit())) throw overtaken();
}

const overtaken = () =>
  unreachableError('what was asked for has changed meanwhile', { code: 'salvage_overtaken' });
