import { readFile } from 'node:fs/promises';
import { runningDaemon } from '../daemon.ts';
import type { SandboxPaths } from '../folders.ts';
import { PortName, portOf, requireSandboxState, routesOf } from '../state.ts';
import { ETCD_NODES, isRegion, REGIONS } from '../topology.ts';
import { CallerRegions } from './caller-regions.ts';
import { openLinkControl } from './control-server.ts';
import { Links } from './links.ts';
import { openRoute } from './route.ts';

/** Carries all that crosses regions until `signal` aborts. Rejects when a port is taken. */
export async function runLinkDaemon(options: {
  readonly paths: SandboxPaths;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { paths, signal } = options;
  const state = await requireSandboxState(paths);
  const links = new Links(REGIONS, { delayMs: state.wanDelayMs, bytesPerSecond: null, cut: null });
  const processesByRegion = async () => {
    const records = await Promise.all(ETCD_NODES.map(({ name }) => runningDaemon(paths, name)));
    return new Map(
      ETCD_NODES.flatMap(({ region }, index) => {
        const record = records[index];
        return record === undefined ? [] : [[record.pid, region] as const];
      }),
    );
  };
  const callers = new CallerRegions({ processesByRegion });
  const routes = new Map<number, { close: () => void }>();
  const openRoutes = async (): Promise<void> => {
    const missing = routesOf(await requireSandboxState(paths)).filter(
      ({ listenPort }) => !routes.has(listenPort),
    );
    for (const { from, to } of missing) if (from !== null && !isRegion(from)) links.add(from, to);
    await Promise.all(
      missing.map(async (route) => routes.set(route.listenPort, await openRoute({ route, links, callers }))),
    );
  };
  await openRoutes();
  // The control port opens last: whoever can reach it can count on every route.
  const control = await openLinkControl({
    links,
    openRoutes,
    token: (await readFile(paths.secret('link'), 'utf8')).trim(),
    port: portOf(state, PortName.linkControl),
  });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  control.close();
  for (const route of routes.values()) route.close();
}
