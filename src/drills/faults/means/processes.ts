import { setTimeout as delay } from 'node:timers/promises';
import { unknownError } from '../../../domain/errors.ts';
import {
  killProcess,
  type MemberPart,
  pauseProcess,
  type ProcessOutcome,
  startProcess,
} from '../../../sandbox/control.ts';
import { inspectProcesses, type InspectedProcess, postgresStateOf } from '../../../sandbox/inspect.ts';
import { readViews } from './clusters.ts';
import { NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';
import { standingOn } from './standing.ts';

const POLL_MS = 50;
const POSTGRES_BACK_MS = 30_000;

export interface Held {
  readonly pids: readonly number[];
  /** Starts or resumes the process once nobody else holds it down. May be called twice. */
  readonly release: () => Promise<void>;
}

/** Kills with SIGKILL what runs of a process, or a member's agent alone, and keeps it down. */
export const holdDead = (site: Site, process: string, only?: 'agent'): Promise<Held> =>
  hold(site, process, async () => {
    const outcome = await killProcess({ paths: site.paths, process, only, signal: 'SIGKILL' });
    if (!outcome.changed) throw new NothingToInjectInto(`${process} is down already`);
    await demand(site, process, (now) => isDown(now, only), 'is dead');
    return outcome;
  });

/** Stops what runs of a process, or of one half of a member, with SIGSTOP. One that is paused already is held too. */
export const holdPaused = (site: Site, process: string, only?: MemberPart): Promise<Held> =>
  hold(site, process, async () => {
    const outcome = await pauseProcess({ paths: site.paths, process, only });
    await demand(site, process, (now) => isPaused(now, only), 'is paused');
    return outcome;
  });

async function hold(site: Site, process: string, take: () => Promise<ProcessOutcome>): Promise<Held> {
  const standing = standingOn(site.paths);
  const me = Symbol(process);
  const release = () =>
    standing.inTurn(process, async () => {
      const holders = standing.processes.get(process);
      holders?.delete(me);
      if ((holders?.size ?? 0) === 0) await startProcess({ paths: site.paths, process });
    });
  return standing.inTurn(process, async () => {
    const holders = standing.processes.get(process) ?? new Set();
    standing.processes.set(process, holders.add(me));
    try {
      const { pids } = await take();
      return { pids, release };
    } catch (error) {
      holders.delete(me);
      if (holders.size === 0) await startProcess({ paths: site.paths, process });
      throw error;
    }
  });
}

/** Whether a fault of this run keeps it down or paused. */
export const isHeld = ({ paths }: Site, process: string): boolean =>
  (standingOn(paths).processes.get(process)?.size ?? 0) > 0;

export async function inspectProcess({ paths }: Site, process: string): Promise<InspectedProcess> {
  const found = (await inspectProcesses(paths)).find(({ node }) => node.name === process);
  if (found === undefined) throw new Error(`the sandbox has no process ${process}`);
  return found;
}

/**
 * Waits until a leader's own agent has started its Postgres again, or another member leads. Throws
 * `drill_heal_incomplete` (exit 5).
 */
export async function awaitPostgres(site: Site, member: string): Promise<void> {
  const deadline = performance.now() + POSTGRES_BACK_MS;
  while (postgresStateOf(await inspectProcess(site, member)) !== 'running') {
    // Whoever holds it down, or has failed it over, brings it back.
    if (isHeld(site, member) || !(await mayLead(site, member))) return;
    if (performance.now() > deadline) {
      throw unknownError(`the agent of ${member} does not start its Postgres again`, {
        code: 'drill_heal_incomplete',
        next: `capstan sandbox status --name ${site.paths.name}`,
      });
    }
    await delay(POLL_MS);
  }
}

/** Also when nobody can tell. */
const mayLead = (site: Site, member: string): Promise<boolean> =>
  readViews(site).then(
    (views) => [...views.values()].some(({ authority }) => authority?.value.leader === member),
    () => true,
  );

async function demand(
  site: Site,
  process: string,
  is: (now: InspectedProcess) => boolean,
  what: string,
): Promise<void> {
  if (!is(await inspectProcess(site, process))) throw new NothingToInjectInto(`not so: ${process} ${what}`);
}

const isDown = ({ daemon, all }: InspectedProcess, only: 'agent' | undefined): boolean =>
  only === 'agent' ? daemon === undefined : all.length === 0;

function isPaused({ daemon, all, postgres }: InspectedProcess, only: MemberPart | undefined): boolean {
  const agent = all.filter(({ pid }) => pid === daemon?.pid);
  const part = { agent, postgres, all }[only ?? 'all'];
  return part.length > 0 && part.every(({ state }) => /^[Tt]/.test(state));
}
