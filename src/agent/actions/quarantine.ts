import { timestampOf } from '../../clock/clock.ts';
import type { Work } from '../work.ts';

/** Shuts this member's data for good: only a rejoin, which rewinds or replaces it, opens it again. */
export async function quarantine({ context, postgres, keeper }: Work, reason: string): Promise<void> {
  const { memory, logger, clock } = context;
  await memory.update({ quarantine: { reason, since: timestampOf(clock) } });
  logger.error({ reason }, 'quarantined');
  await postgres.writeUpstream(null);
  await keeper.withdraw(reason, { lost: true });
  await postgres.stop('immediate');
}
