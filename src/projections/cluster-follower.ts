import { systemClock } from '../clock/system-clock.ts';
import { Wake } from '../clock/wake.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import type { EstateView } from '../controlplane/estate-snapshot.ts';
import type { ShardId } from '../domain/shard.ts';
import type { Logger } from 'pino';
import { LogSource } from './log-source.ts';
import type { PaceOptions } from './pace.ts';
import { type RebuildOutcome, RebuildQueue } from './rebuild-queue.ts';
import type { Sharing } from './sharing.ts';
import { sameSources, sourcesOf } from './sources.ts';
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
  readonly pace: PaceOptions;
  readonly logger: Logger;
  readonly onRebuilt: (outcome: RebuildOutcome & { readonly cluster: string }) => void;
}

/** Wires what follows one cluster: its tail, and the rebuilds beside it, each with connections of its own. */
export class ClusterFollower {
  readonly tail: ClusterTail;
  readonly #wake = new Wake(systemClock);
  readonly #sources: readonly LogSource[];
  readonly #rebuilds: RebuildQueue;
  readonly #options: ClusterFollowerOptions;
  #shards: EstateView['shards'] | undefined;
  #sharing = '';
  #work: Work | undefined;

  constructor(options: ClusterFollowerOptions) {
    this.#options = options;
    const { config, cluster, projector, region, store, readMs, pace, logger, onRebuilt } = options;
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
    const work = () => this.#work;
    this.#rebuilds = new RebuildQueue({
      cluster,
      by: `projector ${projector}`,
      store,
      source: rebuilt,
      target: (shard: ShardId) => {
        const now = work();
        const generation = now?.generations.get(shard);
        return now === undefined || generation === undefined
          ? undefined
          : { sources: now.sources, generation };
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
      pace,
      onFound: (shard, found) => {
        if (found.kind !== 'paused') logger.warn({ cluster, shard, ...found }, 'a shard can’t be followed');
      },
      onDatabase: (why) => {
        if (why === null) logger.info({ cluster }, 'the projections’ database answers');
        else logger.warn({ cluster, why }, 'the projections’ database doesn’t answer');
      },
    });
  }

  /** The estate, or who shares it, may have changed: most changes of an estate are of no concern here. */
  changed(): void {
    const { cluster, region, sharing, view } = this.#options;
    const { clusters, shards } = view();
    const own = clusters.get(cluster);
    const sources = own === undefined ? undefined : sourcesOf(own, region);
    const names = sharing.names.join(' ');
    if (shards === this.#shards && names === this.#sharing && sameSources(sources, this.#work?.sources))
      return;
    this.#shards = shards;
    this.#sharing = names;
    const generations = new Map<ShardId, number>();
    for (const { value } of shards.values()) {
      if (value.cluster === cluster && sharing.has(value.shard))
        generations.set(value.shard, value.generation);
    }
    this.#work = sources === undefined ? undefined : { sources, generations };
    this.#wake.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.changed();
    await this.tail.run(signal);
    for (const source of this.#sources) source.close();
    await this.#rebuilds.close();
  }
}
