import { waitForEnd, signalAll } from '../../sandbox/daemon.ts';
import { gatewayBackends, visit } from './means/backends.ts';
import { drawCluster } from './means/clusters.ts';
import { diceOf } from './means/dice.ts';
import { inForce } from './means/in-force.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { awaitPostgres, inspectProcess } from './means/processes.ts';
import type { Fault } from './types.ts';

const ENDS_WITHIN_MS = 5_000;

/** With restart_after_crash off, one backend's crash ends the server: what it had granted is gone. */
export const killBackend: Fault = {
  name: 'kill-backend',
  summary: 'kill -9 of one Postgres backend that serves a gateway at a leader: the whole server ends',
  holdMs: { min: 500, max: 3_000 },
  async inject(ground, planned) {
    const { name, leader } = await drawCluster(ground, planned);
    const pids = await visit(ground, leader, (client) => gatewayBackends(client, { waiting: false })).catch(
      (): number[] => [],
    );
    const { postgres } = await inspectProcess(ground, leader);
    const own = postgres.filter(({ pid }) => pids.includes(pid));
    const victim = diceOf(planned).pick(own);
    if (victim === undefined) throw new NothingToInjectInto(`no backend serves a gateway at ${leader}`);
    await signalAll([victim], 'SIGKILL');
    if ((await waitForEnd(postgres, ENDS_WITHIN_MS)).length > 0)
      throw new Error(`the server of ${leader} outlives its backend ${victim.pid}`);
    return inForce(leader, { cluster: name, pid: victim.pid }, () => awaitPostgres(ground, leader));
  },
};
