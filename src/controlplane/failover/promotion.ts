import { timestampOf } from '../../clock/clock.ts';
import { CapstanError, ExitCode } from '../../domain/errors.ts';
import type { PromotionReport } from '../../domain/agent-reports.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { AuthorityRecord, DecidedPrefix } from '../../domain/records.ts';
import { auditIn } from '../audit.ts';
import { nextAuthority } from '../authority.ts';
import type { ClusterView } from '../cluster-view.ts';
import { changeMembership } from '../membership/change.ts';
import { nextMembership } from '../membership/next-membership.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { stepResult } from '../operation/record.ts';
import { revisionOf, type Transaction, type Versioned } from '../store.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { type FailoverRun, readOwnCluster, termOf } from './context.ts';
import { planOf } from './plan-types.ts';
import { rolesAround } from './regional-membership.ts';
import { isReportOf, promotionDifferences } from './verification.ts';

/** The prefix that `decide` recorded; it is in the journal and in authority alike. */
export function prefixOf(record: OperationRecord): DecidedPrefix {
  const prefix = stepResult(record, 'decide')?.['prefix'];
  if (prefix === undefined) throw new Error(`operation ${record.id} has no decided prefix`);
  return prefix as DecidedPrefix;
}

/** Waits for the decided member's own report of its promotion. */
export async function promoteStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const promotion = await waitForReport(run, held);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { member: promotion.value.member, promotedAt: promotion.value.promotedAt },
  });
  return moved ?? held;
}

/** Compares what was promoted with what was decided. A difference stops the operation: nothing opens. */
export async function verifyStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const promotion = await waitForReport(run, held);
  const { id, kind, cluster, actor, planHash } = held.value;
  const prefix = prefixOf(held.value);
  const differences = promotionDifferences(promotion.value, {
    operation: id,
    term: termOf(held.value),
    prefix,
  });
  const { member, timeline, switchLsn, positions } = promotion.value;
  const error =
    differences.length === 0
      ? null
      : { code: 'prefix_differs', message: `${member} is not the decided prefix: ${differences.join('; ')}` };
  const moved = await transition(run, {
    held,
    event: error === null ? 'completed' : 'differs',
    result: { member, timeline, switchLsn, shards: Object.keys(positions).length, differences },
    error,
    with: (transaction) => {
      transaction.expect(run.keys.promotionReport(cluster), promotion.revision);
      if (error === null) return;
      const entry = {
        actor,
        action: `${kind}.verify`,
        target: cluster,
        operation: id,
        planHash,
        before: prefix,
        after: promotion.value,
        outcome: 'failed',
        reason: error.message,
      } as const;
      auditIn(transaction, run.keys, entry, run.clock);
    },
  });
  return moved ?? held;
}

/**
 * Opens the verified leader, recorded as degraded: its agent grows the in-sync set again. The report that was verified
 * is compared once more, by content and by revision, so nothing opens on one that was replaced since.
 */
export async function openStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { view, authority } = await readOwnCluster(run, held, 'promoting');
  const { id, cluster } = held.value;
  const term = termOf(held.value);
  const prefix = prefixOf(held.value);
  const promotion = view.promotion;
  const claim = { operation: id, term, prefix };
  const verified =
    isReportOf(promotion?.value, claim) && promotionDifferences(promotion.value, claim).length === 0;
  if (!verified) {
    throw new CapstanError(`the promotion report of ${prefix.member} changed after it was verified`, {
      code: 'promotion_changed',
      exit: ExitCode.partial,
      next: `capstan member list --cluster ${cluster}`,
      data: { operation: id, found: promotion?.value ?? null },
    });
  }
  const now = timestampOf(run.clock);
  const epoch = epochAfter(held.value, view);
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { leader: prefix.member, term, epoch, openedAt: now, degraded: true },
    with: (transaction) => {
      expectMembership(run, held.value, { transaction, view, authority });
      transaction
        .expect(run.keys.promotionReport(cluster), revisionOf(promotion))
        .put(run.keys.authority(cluster), nextAuthority(authority.value, { kind: 'open' }, now))
        .expect(run.keys.inSync(cluster), revisionOf(view.inSync))
        .put(run.keys.inSync(cluster), { term, epoch, voters: [], required: 0, degraded: true, since: now })
        // Whoever writes it compares the authority: the former leader's word ends here, and the new one needn't take it back.
        .delete(run.keys.claim(cluster));
    },
  });
  return moved ?? held;
}

interface Opening {
  readonly transaction: Transaction;
  readonly view: ClusterView;
  readonly authority: Versioned<AuthorityRecord>;
}

/** In region the membership stays; in another region it is a new epoch, committed by the very transaction that opens. */
function expectMembership(
  run: FailoverRun,
  record: OperationRecord,
  { transaction, view, authority }: Opening,
): void {
  const { membership } = view;
  const { path, region } = planOf(record);
  if (path !== 'regional' || membership === undefined) {
    transaction
      .expect(run.keys.membership(view.name), revisionOf(membership))
      .expect(run.keys.authority(view.name), authority.revision);
    return;
  }
  changeMembership(transaction, {
    keys: run.keys,
    view,
    changes: rolesAround(membership.value, prefixOf(record).member),
    actor: record.actor,
    reason: `a failover to ${region}`,
    operation: record.id,
    planHash: record.planHash,
    holdsCluster: true,
    clock: run.clock,
  });
}

function epochAfter(record: OperationRecord, { membership }: ClusterView): number {
  if (membership === undefined) return 0;
  if (planOf(record).path !== 'regional') return membership.value.epoch;
  const leader = prefixOf(record).member;
  return nextMembership({
    membership: membership.value,
    leader,
    changes: rolesAround(membership.value, leader),
  }).epoch;
}

async function waitForReport(run: FailoverRun, held: HeldOperation): Promise<Versioned<PromotionReport>> {
  const { id } = held.value;
  const timeoutMs = run.contract.deadlines.promoteMs;
  const claim = { operation: id, term: termOf(held.value), prefix: prefixOf(held.value) };
  const waited = await waitFor({
    check: async () => {
      const { view } = await readOwnCluster(run, held, 'promoting');
      if (isReportOf(view.promotion?.value, claim)) return view.promotion;
      const detail = `waiting for ${claim.prefix.member} to promote`;
      report(run, held.value, { state: 'waiting', detail });
      return undefined;
    },
    timeoutMs,
    signal: run.signal,
    clock: run.clock,
    pause: run.pause,
  });
  if (waited.kind === 'found') return waited.value;
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  throw stalled({
    record: held.value,
    code: 'promotion_overdue',
    message: `${claim.prefix.member} has not reported its promotion within ${timeoutMs} ms; it is decided, so only it can go on`,
    lastError: waited.lastError,
  });
}
