import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterView } from '../../controlplane/cluster-view.ts';
import { CapstanError, ExitCode, messageOf } from '../../domain/errors.ts';
import { inspectProcesses } from '../../sandbox/inspect.ts';
import { LinkClient } from '../../sandbox/link/client.ts';
import { isDisturbed } from '../../sandbox/link/link.ts';
import { startProcesses } from '../../sandbox/start.ts';
import { withFileLock } from '../../sandbox/file-lock.ts';
import { sandboxLock } from '../../sandbox/folders.ts';
import { CLUSTERS, LINK_NODE } from '../../sandbox/topology.ts';
import { restoreClock } from './means/clocks.ts';
import { openClusterIn, readViews } from './means/clusters.ts';
import { emptyDisks } from './means/disks.ts';
import { acknowledge, endActiveOperation } from './means/failover.ts';
import { bringHome } from './means/homecoming.ts';
import { restoreMembers } from './means/members.ts';
import { endMoves } from './means/moves.ts';
import { bringBack, standingOf } from './means/rejoin.ts';
import type { Site } from './means/site.ts';
import { letGoOfAll } from './means/standing.ts';
import { whatIsNotWell } from './means/wellness.ts';
import type { DeskSwitch } from './types.ts';

export interface HealOptions extends Site {
  /** Of this process's own run, if there is one. */
  readonly desks?: DeskSwitch;
  readonly timeoutMs?: number | undefined;
  /** Stops at the next look, for whoever is asked to heal and nothing else. A run that is aborted is healed all the same. */
  readonly stop?: AbortSignal | undefined;
  readonly onProgress?: (state: { readonly done: readonly string[]; readonly missing: string }) => void;
}

export interface HealReport {
  /** What had to be done, one line each. Empty: it was well already. */
  readonly done: readonly string[];
  readonly tookMs: number;
}

const TIMEOUT_MS = 180_000;
const LOCK_WAIT_MS = 15_000;
const POLL_MS = 200;
const REJOIN_WITHIN_MS = 60_000;

/**
 * Brings a sandbox back from whatever was done to it, by looking at what is and not at what is remembered: paused and dead
 * processes, links, desks, stepped clocks, operations that nobody finishes, members that are quarantined. Then waits until
 * every process answers, every cluster has its voters recorded in sync, and decides through every gateway. May be called
 * at any time, again, and by several at once. Throws CapstanError `drill_heal_incomplete` (exit 5) that names what isn't
 * well when the time is up.
 */
export async function healAll(options: HealOptions): Promise<HealReport> {
  const { paths, desks, timeoutMs = TIMEOUT_MS, stop, onProgress } = options;
  const startedAt = performance.now();
  const done: string[] = [];
  letGoOfAll(paths);
  for (const { region } of options.environment.gateways) desks?.set(region, 'pass');
  for (;;) {
    stop?.throwIfAborted();
    const missing = (await mendOnce(options, { done })) ?? (await whatIsNotWell(options));
    if (missing === undefined) return { done, tookMs: Math.round(performance.now() - startedAt) };
    onProgress?.({ done, missing });
    if (performance.now() - startedAt > timeoutMs) {
      throw new CapstanError(`the sandbox ${paths.name} is not well again: ${missing}`, {
        code: 'drill_heal_incomplete',
        exit: ExitCode.unknown,
        next: `capstan sandbox status --name ${paths.name}; once more: capstan drill heal --name ${paths.name}`,
        data: { missing, done },
      });
    }
    await delay(POLL_MS, undefined, stop === undefined ? {} : { signal: stop });
  }
}

interface Notes {
  readonly done: string[];
}

/** One look at everything, mending what can be mended now. Answers what stood in the way. */
async function mendOnce(options: HealOptions, notes: Notes): Promise<string | undefined> {
  try {
    const full = await emptyDisks(options);
    if (full.length > 0) notes.done.push(`gave ${full.join(', ')} room on disk again`);
    await mendProcesses(options, notes);
    await mendLinks(options, notes);
    const views = await readViews(options);
    for (const { name } of CLUSTERS) await mendCluster(options, notes, views.get(name));
    for (const operation of await endMoves(options)) notes.done.push(`ended the move ${operation}`);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function mendProcesses({ paths, state }: Site, { done }: Notes): Promise<void> {
  const inspected = await inspectProcesses(paths);
  const broken = inspected.filter(
    ({ daemon, all }) => daemon === undefined || all.some((one) => /^[Tt]/.test(one.state)),
  );
  if (broken.length === 0) return;
  const nodes = broken.map(({ node }) => node);
  const lock = { path: sandboxLock(paths.name), waitMs: LOCK_WAIT_MS, what: `the sandbox ${paths.name}` };
  const changed = await withFileLock(lock, () => startProcesses({ paths, state, nodes }));
  if (changed.length > 0) done.push(`started or resumed ${changed.toSorted().join(', ')}`);
}

async function mendLinks({ paths, state }: Site, { done }: Notes): Promise<void> {
  const client = new LinkClient(paths, state);
  const disturbed = (await client.show()).filter((link) => isDisturbed(link, state));
  if (disturbed.length === 0) return;
  await client.heal(disturbed.map(({ from, to }) => ({ from, to })));
  done.push(`healed ${LINK_NODE.name} ${disturbed.map(({ from, to }) => `${from} -> ${to}`).join(', ')}`);
}

async function mendCluster(site: HealOptions, notes: Notes, view: ClusterView | undefined): Promise<void> {
  if (view === undefined) return;
  const { done } = notes;
  if (view.activeOperation !== undefined) {
    const operation = await endActiveOperation(site, view.name);
    if (operation !== undefined) done.push(`ended operation ${operation}`);
    return;
  }
  if (await acknowledge(site, view)) done.push(`acknowledged the block of ${view.name}`);
  const cluster = openClusterIn(view);
  if (cluster === undefined) return;
  // While its leader doesn't answer, its members can still be mended.
  const restored = await restoreClock(site, cluster.leader).catch(() => false);
  if (restored) done.push(`restored the clock of ${cluster.leader}`);
  for (const member of cluster.plan.members) {
    if (standingOf(view, member) !== 'quarantined') continue;
    if (await bringBack(site, member, REJOIN_WITHIN_MS))
      done.push(`rejoined ${member.name}, which was quarantined`);
  }
  done.push(...(await restoreMembers(site, view, REJOIN_WITHIN_MS)));
  const home = await bringHome(site, cluster.name);
  if (home !== undefined) done.push(`brought ${cluster.name} home to ${home.leader}`);
}
