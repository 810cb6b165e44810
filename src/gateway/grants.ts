import type { RouteSource, RouteTable, ShardRoute } from './route-table.ts';

/** A leader that refused for want of a grant is asked again at least this often. */
const ASK_AGAIN_AFTER_MS = 100;
/** The lease's record comes a moment before the row that Postgres looks at: so long it is asked this often. */
const FRESH_MS = 500;
const FRESH_AGAIN_AFTER_MS = 10;

interface Seen {
  readonly grantId: string;
  readonly atMs: number;
}

/**
 * Notices new grants of leases. A leader that has just opened, or whose followers have just changed, refuses until its new
 * grant's row is written: batches that were refused wait for that and not for an interval to end.
 */
export class Grants {
  readonly #source: RouteSource;
  readonly #routes: Pick<RouteTable, 'changed'>;
  readonly #seen = new Map<string, Seen>();
  readonly #stop: () => void;

  constructor(source: RouteSource, routes: Pick<RouteTable, 'changed'>) {
    this.#source = source;
    this.#routes = routes;
    this.#look();
    this.#stop = source.onChange(() => this.#look());
  }

  close(): void {
    this.#stop();
  }

  /** Resolves when it is worth asking this route's leader again, or another one by now. */
  async next(route: ShardRoute): Promise<void> {
    const { cluster, shard } = route.scope;
    const before = this.#seen.get(cluster);
    if (before !== undefined && performance.now() - before.atMs < FRESH_MS) {
      await this.#routes.changed(shard, route, FRESH_AGAIN_AFTER_MS);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#source.onChange(() => {
      if (this.#seen.get(cluster) !== before) resolve();
    });
    await Promise.race([promise, this.#routes.changed(shard, route, ASK_AGAIN_AFTER_MS)]);
    stop();
  }

  #look(): void {
    for (const [cluster, { lease }] of this.#source.current().clusters) {
      const grantId = lease?.value.grantId;
      if (grantId === undefined || this.#seen.get(cluster)?.grantId === grantId) continue;
      // Of what was there before this gateway looked, nobody knows how old it is.
      const atMs = this.#seen.has(cluster) ? performance.now() : -Infinity;
      this.#seen.set(cluster, { grantId, atMs });
    }
  }
}
