import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { awaitPostgres, inspectProcess } from './means/processes.ts';
import { killProcess } from '../../sandbox/control.ts';
import { waitForEnd } from '../../sandbox/daemon.ts';
import type { Fault } from './types.ts';

const ENDS_WITHIN_MS = 5_000;

/** Its agent lives and holds the lease: the next server must not use a right that the last one was given. */
export const killPostgres: Fault = {
  name: 'kill-postgres',
  summary: 'kill -9 of a leader’s Postgres with all backends, while its agent lives and starts it again',
  holdMs: { min: 500, max: 3_000 },
  async inject(ground, planned) {
    const { name, leader } = await drawCluster(ground, planned);
    const { postgres } = await inspectProcess(ground, leader);
    if (postgres.length === 0) throw new NothingToInjectInto(`the Postgres of ${leader} does not run`);
    const order = { paths: ground.paths, process: leader, only: 'postgres', signal: 'SIGKILL' } as const;
    const { pids } = await killProcess(order);
    // A process that is ending has left its folder before it has ended.
    if ((await waitForEnd(postgres, ENDS_WITHIN_MS)).length > 0)
      throw new Error(`the Postgres of ${leader} survives SIGKILL`);
    return inForce(leader, { cluster: name, pids }, () => awaitPostgres(ground, leader));
  },
};
