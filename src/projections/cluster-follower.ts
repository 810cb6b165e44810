import { systemClock } from '../clock/system-clock.ts';
import { Wake } from '../clock/wake.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import type { EstateView } from '../controlplane/estate-snapshot.ts';
import type { ShardId } from '../domain/shard.ts';
import type { Logger } from 'pino';
import { LogSource } from './log-source.ts';
import { PROJECTOR_PACE } from './pace.ts';
import { type RebuildOutcome, RebuildQueue } from './rebuild-queue.ts';
import type { Sharing } from './sharing.ts';
import { sourcesOf } from './sources.ts';
import type { ProjectionStore } from './store-port.ts';
import { ClusterTail, type Work } from './tail.ts';

export interface ClusterFollowerOptions {
  readonly config: EstateConfig;
  readonly cluster: string;
  readonly projector: string;
  readonly region: string;
  readonly store: ProjectionStore;
  readonly sharing: Sharing;
  readonly view: () => EstateView;
  readonly readMs: number;
  readonly logger: Logger;
  readonly onRebuilt: (outcome: RebuildOutcome & { readonly cluster: string }) => void;
}

/** Wires what follows one cluster: its tail, and the rebuilds beside it, each with connections of its own. */
export class ClusterFollower {
  readonly tail: ClusterTail;
  readonly #wake = new Wake(systemClock);
  readonly #sources: readonly LogSource[];
  readonly #rebuilds: RebuildQueue;
  #seen: EstateView | undefined;
  #work: Work | undefined;

  constructor(options: ClusterFollowerOptions) {
    const { config, cluster, projector, region, store, readMs, logger, onRebuilt } = options;
    const source = (purpose: string) =>
      new LogSource({
        config,
        region,
        applicationName: `capstan-projector-${projector}${purpose}`,
        deadlineMs: readMs,
        onTrouble: (trouble) => logger.warn({ cluster, ...trouble }, 'another member is asked'),
      });
    const [tailed, rebuilt] = [source(''), source('-rebuild')];
    this.#sources = [tailed, rebuilt];
    const work = () => this.#current(options);
    this.#rebuilds = new RebuildQueue({
      cluster,
      by: `projector ${projector}`,
      store,
      source: rebuilt,
      target: (shard: ShardId) => {
        const now = work();
        const generation = now?.generations.get(shard);
        return now === undefined || generation === undefined ? undefined : { sources: now.sources, generation };
      },
      onEnd: (outcome) => {
        onRebuilt({ ...outcome, cluster });
        this.#wake.call();
      },
    });
    this.tail = new ClusterTail({
      cluster,
      name: `${projector}/${cluster}`,
      store,
      source: tailed,
      rebuilds: this.#rebuilds,
      work,
      wake: this.#wake,
      pace: PROJECTOR_PACE,
      onFound: (shard, found) => {
        if (found.kind !== 'paused') logger.warn({ cluster, shard, ...found }, 'a shard can’t be followed');
      },
      onDatabase: (why) => {
        if (why === null) logger.info({ cluster }, 'the projections’ database answers');
        else logger.warn({ cluster, why }, 'the projections’ database doesn’t answer');
      },
    });
  }

  /** The map, the authority or the sharing changed. */
  changed(): void {
    this.#seen = undefined;
    this.#wake.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.tail.run(signal);
    for (const source of this.#sources) source.close();
    await this.#rebuilds.close();
  }

  #current({ cluster, region, sharing, view }: ClusterFollowerOptions): Work | undefined {
    const now = view();
    if (now === this.#seen) return this.#work;
    this.#seen = now;
    const own = now.clusters.get(cluster);
    const sources = own === undefined ? undefined : sourcesOf(own, region);
    const generations = new Map<ShardId, number>();
    for (const { value } of now.shards.values()) {
      if (value.cluster === cluster && sharing.has(value.shard)) generations.set(value.shard, value.generation);
    }
    return (this.#work = sources === undefined ? undefined : { sources, generations });
  }
}
