import { timestampOf } from '../../clock/clock.ts';
import { Transaction } from '../../controlplane/store.ts';
import { unreachableError } from '../../domain/errors.ts';
import type { StopReport } from '../../domain/agent-reports.ts';
import type { Work } from '../work.ts';

/**
 * Says that this former primary's Postgres has ended, under the fencing term: from the report on it can confirm nothing before
 * another authority names it. Throws `postgres_not_ended` (exit 7) while a process of it is left; it is decided anew.
 */
export async function reportStopped(
  work: Work,
  { term, operation }: { readonly term: number; readonly operation: string },
): Promise<void> {
  const { context, postgres, authority, signal } = work;
  const { etcd, keys, cluster, member, memory, logger, clock } = context;
  const { incarnation } = memory.value;
  if (!(await postgres.hasEnded())) {
    throw unreachableError('a process of the former primary is left', { code: 'postgres_not_ended' });
  }
  if (signal.aborted || incarnation === null) return;
  const report: StopReport = { term, operation, member, incarnation, stoppedAt: timestampOf(clock) };
  const reported = await new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .put(keys.stopReport(cluster, member), report)
    .commit();
  if (reported) logger.info({ term, operation }, 'this former primary has ended');
}
