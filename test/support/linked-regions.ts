import { CallerRegions } from '../../src/sandbox/link/caller-regions.ts';
import { Links } from '../../src/sandbox/link/links.ts';
import { openRoute } from '../../src/sandbox/link/route.ts';
import { freePort } from './postgres.ts';

export type TestRegion = 'new-york' | 'madrid';
const REGIONS: readonly TestRegion[] = ['new-york', 'madrid'];
const BOTH_WAYS = [
  { from: 'new-york', to: 'madrid' },
  { from: 'madrid', to: 'new-york' },
] as const;

/** Two regions whose traffic crosses the sandbox's own links in this process, so that a test can cut them from each other. */
export class LinkedRegions {
  readonly #links = new Links(REGIONS, { delayMs: 0, bytesPerSecond: null, cut: null });
  readonly #routes: { readonly close: () => void }[] = [];

  /** The port on which processes of the other region reach one of `to`. */
  async route(
    to: TestRegion,
    targetPort: number,
  ): Promise<{ readonly from: TestRegion; readonly port: number }> {
    const from = to === 'madrid' ? 'new-york' : 'madrid';
    const listenPort = await freePort();
    const callers = new CallerRegions({ processesByRegion: () => Promise.resolve(new Map()) });
    const route = { label: `${from} to ${targetPort}`, from, to, listenPort, targetPort };
    this.#routes.push(await openRoute({ route, links: this.#links, callers }));
    return { from, port: listenPort };
  }

  /** The endpoints of an etcd in madrid, as new-york reaches them. */
  async etcdFromAfar(endpoints: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
    const routes = await Promise.all(endpoints.map((url) => this.route('madrid', Number(new URL(url).port))));
    return { 'new-york': routes.map(({ port }) => `http://127.0.0.1:${port}`) };
  }

  cut(): void {
    this.#links.change(BOTH_WAYS.map((pair) => ({ ...pair, settings: { cut: 'lose' } })));
  }

  heal(): void {
    this.#links.heal(BOTH_WAYS);
  }

  close(): void {
    for (const route of this.#routes) route.close();
  }
}
