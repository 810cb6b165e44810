import { BARRIER_NAMES } from '../follower-name.ts';
import { confirmAuthority } from './confirm-authority.ts';
import type { Work } from '../work.ts';

/** Starts this member as a primary: no commit of a client is acknowledged before the in-sync set is in force again. */
export async function startPrimary(work: Work, ready?: () => Promise<boolean>): Promise<void> {
  const { context, postgres, authority, signal } = work;
  await confirmAuthority(work);
  await context.memory.update({ opened: 'primary', ledTerm: authority.value.term, handedOver: null });
  await postgres.writeUpstream(null);
  await postgres.writeSyncNames(BARRIER_NAMES);
  await postgres.start(signal, ready);
}

/** Starts this member as a standby that receives nothing: whom it may follow is looked at once it runs. */
export async function startStandby({ context, postgres, signal }: Work): Promise<void> {
  await context.memory.update({ opened: 'standby', handedOver: null });
  await postgres.writeUpstream(null);
  await postgres.writeSyncNames(BARRIER_NAMES);
  await postgres.start(signal);
}
