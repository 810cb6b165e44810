import type { Work } from '../work.ts';

/** Notes durably that what is here is half a data directory: it is thrown away and cloned, whoever goes on. */
export async function reclone({ context }: Work, reason: string): Promise<void> {
  const { memory, logger } = context;
  const { restore } = memory.value;
  logger.warn({ reason }, 'the data is cloned anew');
  await memory.update({
    building: 'clone',
    ...(restore === null ? {} : { restore: { ...restore, method: 'reclone', reason, proved: true } }),
  });
}
