import type { EstateConfig } from '../config/estate-config.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { Keys } from '../controlplane/keys.ts';
import type { ShardLog } from '../domain/shard-log.ts';
import type { EtcdReader } from '../etcd/port.ts';
import { LogSource } from '../projections/log-source.ts';
import { sourcesOf } from '../projections/sources.ts';
import type { LogReader } from './log-port.ts';

const ENTRIES_MAX = 10_000;
const ATTEMPTS = 3;

export interface EstateLogOptions {
  readonly config: EstateConfig;
  readonly etcd: EtcdReader;
  readonly keys: Keys;
  readonly region: string | undefined;
  readonly deadlineMs: number;
}

type Request = { readonly shard: number; readonly after: string };

/**
 * The log of all of an estate's shards, each from the best member of the cluster that owns it. What a member refuses is
 * asked of the next one, and then once more under the authorities that etcd names by then.
 */
export class EstateLog implements LogReader {
  readonly #options: EstateLogOptions;
  readonly #sources = new Map<string, LogSource>();
  #snapshot: Promise<EstateSnapshot> | undefined;

  constructor(options: EstateLogOptions) {
    this.#options = options;
  }

  async read(requests: readonly Request[], limit: number): Promise<ReadonlyMap<number, ShardLog>> {
    const found = new Map<number, ShardLog>();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const left = requests.filter(({ shard }) => !found.has(shard));
      if (left.length === 0) break;
      if (attempt > 0) this.#snapshot = undefined;
      const snapshot = await this.#estate();
      const byCluster = Map.groupBy(left, ({ shard }) => snapshot.shards.get(shard)?.value.cluster ?? '');
      await Promise.all(
        [...byCluster].map(async ([cluster, own]) => {
          for (const log of await this.#ask(snapshot, cluster, own, limit)) found.set(log.shard, log);
        }),
      );
    }
    return found;
  }

  close(): void {
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
  }

  #estate(): Promise<EstateSnapshot> {
    const { etcd, keys } = this.#options;
    const reading = (this.#snapshot ??= readEstateSnapshot(etcd, keys));
    reading.catch(() => (this.#snapshot = undefined));
    return reading;
  }

  async #ask(
    snapshot: EstateSnapshot,
    cluster: string,
    requests: readonly Request[],
    limit: number,
  ): Promise<readonly ShardLog[]> {
    const view = snapshot.clusters.get(cluster);
    const sources = view === undefined ? undefined : sourcesOf(view, this.#options.region ?? '');
    if (sources === undefined) return [];
    const source = this.#sourceOf(cluster);
    const logs = new Map<number, ShardLog>();
    for (let skip = 0; skip < sources.members.length && logs.size < requests.length; skip += 1) {
      const shards = requests
        .filter(({ shard }) => !logs.has(shard))
        .map(({ shard, after }) => ({
          shard,
          after,
          generation: snapshot.shards.get(shard)?.value.generation ?? 0,
        }));
      const entriesMax = Math.min(ENTRIES_MAX, Math.max(1, limit) * shards.length);
      const answer = await source.ask(sources, { shards, entriesMax }, skip);
      for (const log of answer?.logs ?? []) logs.set(log.shard, log);
    }
    return [...logs.values()];
  }

  #sourceOf(cluster: string): LogSource {
    const known = this.#sources.get(cluster);
    if (known !== undefined) return known;
    const { config, region = '', deadlineMs } = this.#options;
    const made = new LogSource({ config, region, applicationName: 'capstan archive', deadlineMs });
    this.#sources.set(cluster, made);
    return made;
  }
}
