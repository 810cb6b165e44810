import { readClusterState } from '../reservations/state-sql.ts';
import type { MemberPostgres } from './member-postgres.ts';
import type { Look } from './reconciler.ts';

/** Looks at a member's data directory and Postgres, for the reconciler. */
export async function lookAt(postgres: MemberPostgres): Promise<Look> {
  const pid = await postgres.pid();
  const running = pid === undefined ? undefined : await postgres.running();
  const state =
    running === undefined ? undefined : await postgres.admin.use(readClusterState).catch(() => undefined);
  return {
    pid,
    serverRun: running?.serverRun,
    facts: {
      data: await postgres.data(),
      process: pid === undefined ? 'stopped' : running === undefined ? 'starting' : 'running',
      recovering: running?.recovering ?? null,
      upstream: await postgres.upstream(running),
      storedTerm: state?.term ?? null,
      storedEpoch: state?.epoch ?? null,
    },
  };
}
