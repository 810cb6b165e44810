import { timestampOf } from '../../clock/clock.ts';
import { revisionOf, Transaction } from '../../controlplane/store.ts';
import type { MemberRecord } from '../../domain/records.ts';
import type { RestoreReport } from '../../domain/rejoin-records.ts';
import type { Work } from '../work.ts';

/** Tells etcd which data this member holds. From then on it may be taken into the in-sync set. */
export async function register({ context, postgres, view, authority }: Work): Promise<void> {
  const { etcd, keys, cluster, member, region, memory, logger, clock } = context;
  const { incarnation } = memory.value;
  if (incarnation === null) throw new Error('a member without data has nothing to register');
  const { system_identifier: systemIdentifier } = await postgres.admin.one<{ system_identifier: string }>(
    'select system_identifier::text from pg_control_system()',
  );
  const record: MemberRecord = {
    name: member,
    cluster,
    region,
    incarnation,
    systemIdentifier,
    registeredAt: timestampOf(clock),
  };
  const key = keys.member(cluster, member);
  const { restore } = memory.value;
  const transaction = new Transaction(etcd)
    .expect(keys.authority(cluster), authority.revision)
    .expect(key, revisionOf(view.members.get(member)))
    .put(key, record);
  if (restore !== null) {
    const { operation, formerIncarnation, method, reason } = restore;
    const report: RestoreReport = {
      operation,
      member,
      formerIncarnation,
      incarnation,
      method,
      reason,
      restoredAt: timestampOf(clock),
    };
    transaction.put(keys.restoredReport(cluster, member), report);
  }
  if (!(await transaction.commit())) return;
  await memory.update({ restore: null });
  logger.info({ incarnation, restored: restore?.method ?? null }, 'registered');
}
