import type { Work } from '../work.ts';
import { startStandby } from './configure.ts';
import { quarantine } from './quarantine.ts';

/**
 * Makes a standby of the data that this member handed over. Any start as a primary clears the note first, so a control
 * file that still says `shut down` shows the end that was reported; following then asks whether the leader kept all of it.
 */
export async function demote(work: Work): Promise<void> {
  const { context, postgres } = work;
  const { operation } = context.memory.value.handedOver ?? {};
  const { cleanlyShutDown, checkpointLsn } = await postgres.controlData();
  if (!cleanlyShutDown) {
    await quarantine(work, `it was handed over by ${operation}, but it was not shut down cleanly`);
    return;
  }
  await postgres.markStandby();
  context.logger.info({ operation, checkpointLsn }, 'a standby from now on');
  await startStandby(work);
}
