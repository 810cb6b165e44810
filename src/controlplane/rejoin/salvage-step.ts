import { CapstanError, ExitCode } from '../../domain/errors.ts';
import type { SalvageReport } from '../../domain/rejoin-records.ts';
import { readClusterView } from '../cluster-view.ts';
import { openLossesOf } from '../loss/naming.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, stalled, transition } from '../operation/run.ts';
import type { Versioned } from '../store.ts';
import { salvageAnew } from './ask.ts';
import { awaitMember, differs, planOf, ready, type Seen, type Sight, waiting } from './await-member.ts';

const SALVAGE_TIMEOUT_MS = 300_000;

/** Waits until the agent has put all that the member's data holds beyond the kept log into etcd. */
export async function salvageStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, cluster } = held.value;
  const { member, method } = planOf(held.value);
  const look = (at: Sight): Seen<Versioned<SalvageReport>> => {
    const { request, view, heartbeat, authority } = at;
    const { term, stage, incarnation } = request.value;
    if (term !== authority.value.term) return differs(at, `term ${authority.value.term} began`);
    if (stage !== 'salvage') return differs(at, 'it was asked for something else');
    const report = view.salvaged.get(member);
    if (report?.value.operation === id && report.value.incarnation === incarnation) return ready(at, report);
    if (heartbeat !== undefined && heartbeat.incarnation !== incarnation)
      return differs(at, `${member} holds incarnation ${heartbeat.incarnation ?? 'unknown'} now`);
    return waiting(`${member} salvages what it holds (${heartbeat?.reason ?? heartbeat?.state ?? 'silent'})`);
  };
  const seen = await awaitMember(run, held, { timeoutMs: SALVAGE_TIMEOUT_MS, look });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') {
    const view = await readNamed(run, cluster, member);
    if (method === 'reclone' && view.length === 0) {
      const result = { found: null, why: `its data could not be read: ${seen.detail}` };
      return (await transition(run, { held, event: 'completed', result })) ?? held;
    }
    throw stalled({
      record: held.value,
      code: 'salvage_incomplete',
      message: `${member} has not salvaged its data in ${SALVAGE_TIMEOUT_MS / 1_000} s: ${seen.detail}`,
      lastError: undefined,
    });
  }
  const { found, under, timeline, lsn } = seen.value.value;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { found, under, timeline, lsn },
    with: (transaction) => {
      transaction.expect(run.keys.salvagedReport(cluster, member), seen.value.revision);
    },
  });
  return moved ?? held;
}

/** Goes on once nothing that names the member is open. What still is asks for a person. */
export async function signOffStep(run: OperationRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, cluster } = held.value;
  const { member } = planOf(held.value);
  const look = (at: Sight): Seen<readonly string[]> => {
    const open = openLossesOf(at.view, member);
    const pending = open.find((loss) => at.view.losses.get(loss)?.value.members[member]?.state === 'pending');
    return pending === undefined
      ? ready(at, open)
      : differs(at, `the loss of ${pending} names it and lacks its salvage`);
  };
  const seen = await awaitMember(run, held, { timeoutMs: run.contract.deadlines.openMs, look });
  if (seen.kind === 'differs') return salvageAnew(run, held, seen);
  if (seen.kind === 'late') throw noLeader(held, seen.detail);
  const [open] = seen.value;
  if (open !== undefined) {
    throw new CapstanError(
      `${member} is salvaged; nothing is rewound before the loss of ${open} is signed off`,
      {
        code: 'loss_not_signed_off',
        exit: ExitCode.partial,
        next: `capstan loss sign-off ${open}, then capstan operation resume ${id}`,
        data: { operation: id, loss: open },
      },
    );
  }
  const named = [...seen.at.view.losses.values()].filter(({ value }) => value.members[member] !== undefined);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { signedOff: named.map(({ value }) => value.operation) },
    with: (transaction) => {
      transaction.expect(run.keys.authority(cluster), seen.at.authority.revision);
      for (const { value, revision } of named)
        transaction.expect(run.keys.loss(cluster, value.operation), revision);
    },
  });
  return moved ?? held;
}

export const noLeader = (held: HeldOperation, detail: string): CapstanError =>
  stalled({ record: held.value, code: 'rejoin_overdue', message: detail, lastError: undefined });

async function readNamed(run: OperationRun, cluster: string, member: string): Promise<readonly string[]> {
  const view = await readClusterView(run.etcd, run.keys, cluster);
  return view === undefined ? [] : openLossesOf(view, member);
}
