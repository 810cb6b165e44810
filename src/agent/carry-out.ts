import { assertNever } from '../domain/errors.ts';
import { adopt } from './actions/adopt.ts';
import { startPrimary, startStandby } from './actions/configure.ts';
import { demote } from './actions/demote.ts';
import { follow } from './actions/follow.ts';
import { freeze } from './actions/freeze.ts';
import { handOver } from './actions/hand-over.ts';
import { lead } from './actions/lead.ts';
import { promote } from './actions/promote.ts';
import { quarantine } from './actions/quarantine.ts';
import { reclone } from './actions/reclone.ts';
import { register } from './actions/register.ts';
import { reportStopped } from './actions/report-stopped.ts';
import { takeOver } from './actions/take-over.ts';
import type { Action } from './action.ts';
import type { DataMaker } from './data-maker.ts';
import type { SyncBook } from './sync-book.ts';
import type { Work } from './work.ts';

const STOP_STEP_MS = 2_000;

/** Carries one action out. What it throws is shown in heartbeats, and the action is decided anew. */
export async function carryOut(
  action: Action,
  work: Work,
  { book, make }: { readonly book: SyncBook; readonly make: DataMaker },
): Promise<void> {
  const { context, postgres, keeper } = work;
  switch (action.kind) {
    case 'hold':
      return;
    case 'stop':
      context.logger.warn({ reason: action.reason }, 'this Postgres may not run');
      await keeper.withdraw(action.reason, { lost: true });
      await postgres.stop('immediate', STOP_STEP_MS);
      return;
    case 'bootstrap':
      await make.bootstrap(work);
      return;
    case 'discard-incomplete':
      await postgres.discardData();
      await context.memory.update({ building: null, incarnation: null });
      return;
    case 'clone':
      await make.clone(work, action.leader);
      return;
    case 'start':
      await (action.as === 'primary' ? startPrimary(work) : startStandby(work));
      return;
    case 'follow':
      await follow(work, action.leader, make);
      return;
    case 'register':
      await register(work);
      return;
    case 'freeze':
      await freeze(work, action);
      return;
    case 'report-stopped':
      await reportStopped(work, action);
      return;
    case 'promote':
      await promote(work);
      return;
    case 'hand-over':
      await handOver(work, action.request);
      return;
    case 'take-over':
      await takeOver(work, action);
      return;
    case 'demote':
      await demote(work);
      return;
    case 'adopt':
      await adopt(work, 'map');
      return;
    case 'lead':
      await lead(work, book);
      return;
    case 'quarantine':
      await quarantine(work, action.reason);
      return;
    case 'salvage':
      await make.salvage(work, action);
      return;
    case 'restore':
      await make.restore(work, action);
      return;
    case 'prove':
      await make.prove(work, action.leader);
      return;
    case 'reclone':
      await reclone(work, action.reason);
      return;
    default:
      assertNever(action);
  }
}
