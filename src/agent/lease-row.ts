import { closeAdmission, extendLease, grantLease, type LeaseRight } from '../reservations/lease-sql.ts';
import { followerName } from './follower-name.ts';
import type { Duty, KeeperPorts, LeaseTimes } from './lease-ports.ts';
import type { Session } from './local-session.ts';

const OPEN = { state: 'open', reason: null } as const;

/** The lease keeper's statements in this member's Postgres, over a connection of their own. */
export function leaseSql(
  session: Session,
  { cluster, member }: { readonly cluster: string; readonly member: string },
): Pick<KeeperPorts, 'grantRow' | 'extendRow'> & {
  closeAdmission(reason: string, timeoutMs: number): Promise<void>;
} {
  return {
    grantRow: (duty: Duty, times) =>
      session.use((client) =>
        grantLease(client, {
          ...rightOf(times),
          cluster,
          epoch: duty.epoch,
          term: duty.authority.value.term,
          leader: member,
          grantId: times.grantId,
          admission: OPEN,
          syncNames: duty.names,
          syncRequired: duty.record.required,
          syncMembers: duty.record.voters.map(followerName),
        }),
      ),
    extendRow: (times) =>
      session.use((client) => extendLease(client, { ...rightOf(times), grantId: times.grantId })),
    closeAdmission: async (reason, timeoutMs) => {
      await session.use((client) => closeAdmission(client, reason), timeoutMs);
    },
  };
}

function rightOf({ countedFrom, validForMs, rpo }: LeaseTimes): LeaseRight {
  return {
    countedFrom,
    validForMs,
    rpoValidForMs: rpo.untilWallMs === null ? null : rpo.untilWallMs - countedFrom.wallMs,
    rpoLagMs: rpo.lagMs === null ? null : Math.round(rpo.lagMs),
    rpoClaim: rpo.claim,
  };
}
