import { open, statfs } from 'node:fs/promises';
import { addressFrom } from '../../config/estate-config.ts';
import { findMemberConfig } from '../../config/member-config.ts';
import type { AgentContext } from '../context.ts';
import { sourceConninfo } from '../postgres-config.ts';
import type { MoveGround } from './ground.ts';

/** So much of the log's end is read. */
const LOG_BYTES = 64 * 1024;

/** The real one: the estate's configuration, the data directory's file system, Postgres's log. */
export function localMoveGround(context: AgentContext): MoveGround {
  const { config, files, member: own, memberConfig } = context;
  return {
    async sourceOf(cluster, member, applicationName) {
      const source = await findMemberConfig(config, cluster, member);
      const address = addressFrom(source.address, [own, memberConfig.region]);
      const { database } = config.postgres;
      return sourceConninfo({ config, files, address, applicationName, database });
    },
    async diskFreeBytes() {
      const found = await statfs(files.dataDir, { bigint: true }).catch(() => undefined);
      return found === undefined ? undefined : found.bavail * found.bsize;
    },
    lastErrorOf: async (subscription) => lastErrorIn(await endOf(files.log).catch(() => ''), subscription),
  };
}

/** The line `ERROR: …` of the process that then says that it disabled the subscription. Pure. */
export function lastErrorIn(log: string, subscription: string): string | undefined {
  const lines = log.split('\n');
  const disabled = lines.findLastIndex((line) =>
    line.includes(`subscription "${subscription}" has been disabled`),
  );
  const worker = /\[\d+\]/.exec(lines[disabled] ?? '')?.[0];
  if (worker === undefined) return undefined;
  const error = lines.slice(0, disabled).findLast((line) => line.includes(worker) && line.includes('ERROR:'));
  return error?.slice(error.indexOf('ERROR:') + 'ERROR:'.length).trim();
}

async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, LOG_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
