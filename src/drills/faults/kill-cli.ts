import { drawCluster, hasFollower, readViews } from './means/clusters.ts';
import { choose, diceOf } from './means/dice.ts';
import { finishOperation } from './means/failover.ts';
import { inForce } from './means/in-force.ts';
import { runAndKill } from './means/killed-command.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { rejoinMembers } from './means/rejoin.ts';
import type { Fault } from './types.ts';

const FINISH_WITHIN_MS = 60_000;
const REJOIN_WITHIN_MS = 60_000;
/** Where the coordinator dies: as it begins this step. Those before it are done. */
const STEPS = ['freeze', 'proof', 'decide', 'promote', 'verify', 'open', 'settle'] as const;

/** The journal and Postgres know how far it came; whoever resumes it finishes from there. */
export const killCli: Fault = {
  name: 'kill-cli',
  summary: 'kill -9 of capstan failover run in the middle of a step; later the operation is resumed',
  holdMs: { min: 3_000, max: 8_000 },
  async inject(ground, planned) {
    const { name, leader, term } = await drawCluster(ground, planned, hasFollower);
    const step = choose(diceOf(planned), STEPS);
    const words = ['failover', 'run', name, '--force', `--confirm=${name}`];
    await runAndKill(ground, words, new RegExp(`failover ${name}: ${step} running`));
    const view = (await readViews(ground)).get(name);
    const operation = view?.activeOperation?.value;
    if ((view?.authority?.value.term ?? term) === term)
      throw new NothingToInjectInto(`the failover of ${name} was refused or killed before its fence`);
    return inForce(
      name,
      { leader, term, step, operation: operation ?? null },
      async () => {
        if (operation !== undefined) await finishOperation(ground, operation, FINISH_WITHIN_MS);
      },
      () => rejoinMembers(ground, name, REJOIN_WITHIN_MS),
    );
  },
};
