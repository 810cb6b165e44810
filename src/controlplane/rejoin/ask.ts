import { timestampOf } from '../../clock/clock.ts';
import type { RejoinRequest } from '../../domain/rejoin-records.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { type OperationRun, transition } from '../operation/run.ts';
import type { Transaction } from '../store.ts';
import { planOf, type Sight } from './await-member.ts';

/** Puts what is asked of the agent, under the present term; compares the authority and what was asked before. */
export function askAgent(
  transaction: Transaction,
  about: {
    readonly run: OperationRun;
    readonly held: HeldOperation;
    readonly at: Sight;
    readonly stage: RejoinRequest['stage'];
    readonly incarnation: string | null;
  },
): void {
  const { run, held, at, stage, incarnation } = about;
  const { member, cluster, method } = planOf(held.value);
  const request: RejoinRequest = {
    operation: held.value.id,
    member,
    stage,
    term: at.authority.value.term,
    incarnation,
    method,
    since: timestampOf(run.clock),
  };
  transaction
    .expect(run.keys.authority(cluster), at.authority.revision)
    .expect(run.keys.rejoin(cluster, member), at.request.revision)
    .put(run.keys.rejoin(cluster, member), request);
}

/** Back to the salvage of what the member holds now, under the present term. */
export async function salvageAnew(
  run: OperationRun,
  held: HeldOperation,
  { at, why }: { readonly at: Sight; readonly why: string },
): Promise<HeldOperation> {
  const incarnation = at.heartbeat?.incarnation ?? at.request.value.incarnation;
  const moved = await transition(run, {
    held,
    event: 'differs',
    result: { why, term: at.authority.value.term, incarnation },
    with: (transaction) => askAgent(transaction, { run, held, at, stage: 'salvage', incarnation }),
  });
  return moved ?? held;
}
