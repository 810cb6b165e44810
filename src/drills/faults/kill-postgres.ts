import { drawCluster } from './means/clusters.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { awaitPostgres, inspectProcess } from './means/processes.ts';
import { killProcess } from '../../sandbox/control.ts';
import { isRunning } from '../../sandbox/process-table.ts';
import type { Fault } from './types.ts';

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
    const left = await Promise.all(postgres.map(isRunning));
    if (left.includes(true)) throw new NothingToInjectInto(`the Postgres of ${leader} still runs`);
    return inForce(leader, { cluster: name, pids }, () => awaitPostgres(ground, leader));
  },
};
