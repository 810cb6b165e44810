import type { Logger } from 'pino';
import { messageOf } from '../domain/errors.ts';
import { archiveLog, type ArchiveLogOptions } from './archive-log.ts';

export interface FollowOptions extends Omit<ArchiveLogOptions, 'onShard'> {
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** Archives what is due, again and again, until the signal fires. What goes wrong is logged, and tried again at the next turn. */
export async function followLog(
  options: FollowOptions,
): Promise<{ readonly segments: number; readonly entries: number }> {
  const { signal, clock, everyMs, logger } = options;
  const total = { segments: 0, entries: 0 };
  while (!signal.aborted) {
    try {
      await archiveLog({
        ...options,
        onShard: ({ shard, from, to, segments, entries, superseded, behind, error }) => {
          total.segments += segments;
          total.entries += entries;
          if (superseded !== null)
            logger.warn({ shard, superseded }, 'what a failover lost is superseded in the archive');
          if (error !== null) logger.error({ shard, code: error.code }, error.message);
          else if (behind !== null) logger.debug({ shard, behind }, 'the source is behind the archive');
          else if (segments > 0) logger.info({ shard, from, to, segments }, 'archived');
        },
      });
    } catch (error) {
      if (!signal.aborted) logger.error({ error: messageOf(error) }, 'nothing can be archived now');
    }
    await clock.sleep(everyMs, signal);
  }
  return total;
}
