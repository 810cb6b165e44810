import type { Logger } from 'pino';
import type { EstateConfig } from '../config/estate-config.ts';
import { appendAudit } from '../controlplane/audit.ts';
import type { EstateWatch } from '../controlplane/estate-watch.ts';
import type { Keys } from '../controlplane/keys.ts';
import type { Contract } from '../domain/contract.ts';
import { logCadenceOf } from '../domain/reading.ts';
import { messageOf } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { ClusterFollower } from './cluster-follower.ts';
import type { ProjectorRecord } from './projector-record.ts';
import type { RebuildOutcome } from './rebuild-queue.ts';
import type { Sharing } from './sharing.ts';
import type { ProjectionStore } from './store-port.ts';

interface FollowersParts {
  readonly config: EstateConfig;
  readonly projector: string;
  readonly logger: Logger;
  readonly region: string;
  readonly live: EstateWatch;
  readonly store: ProjectionStore;
  readonly sharing: Sharing;
  readonly contract: Contract;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
}

/** One for each cluster of the estate, those that come later included. */
export class Followers {
  readonly #parts: FollowersParts;
  readonly #followers = new Map<string, ClusterFollower>();
  readonly #runs: Promise<void>[] = [];
  #signal: AbortSignal | undefined;

  constructor(parts: FollowersParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stop = this.#parts.live.onChange(() => this.changed());
    this.changed();
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    stop();
    await Promise.all(this.#runs);
  }

  changed(): void {
    if (this.#signal === undefined || this.#signal.aborted) return;
    for (const cluster of this.#parts.live.current().clusters.keys()) {
      const known = this.#followers.get(cluster);
      if (known !== undefined) known.changed();
      else this.#begin(cluster, this.#signal);
    }
  }

  figures(): Pick<ProjectorRecord, 'database' | 'clusters'> {
    const all = [...this.#followers];
    return {
      database: all.map(([, { tail }]) => tail.database).find((why) => why !== null) ?? null,
      clusters: Object.fromEntries(all.map(([cluster, { tail }]) => [cluster, tail.figures()])),
    };
  }

  #begin(cluster: string, signal: AbortSignal): void {
    const { config, projector, region, live, store, sharing, contract, logger } = this.#parts;
    const { pollEveryMs, idlePollEveryMs } = logCadenceOf(contract);
    const follower = new ClusterFollower({
      config,
      cluster,
      projector,
      region,
      store,
      sharing,
      view: () => live.current(),
      readMs: contract.deadlines.readMs,
      pace: { everyMs: pollEveryMs, idleEveryMs: idlePollEveryMs },
      logger,
      onRebuilt: (outcome) => this.#tellRebuilt(outcome),
    });
    this.#followers.set(cluster, follower);
    this.#runs.push(follower.run(signal));
  }

  #tellRebuilt(outcome: RebuildOutcome & { readonly cluster: string }): void {
    const { etcd, keys, logger, projector } = this.#parts;
    if (outcome.error === null) logger.info(outcome, 'a shard’s projection was rebuilt');
    else logger.warn(outcome, 'a shard’s projection could not be rebuilt yet');
    if (outcome.error !== null) return;
    const { shard, why, position } = outcome;
    appendAudit(etcd, keys, {
      actor: `projector ${projector}`,
      action: 'projection.rebuilt',
      target: `shard/${shard}`,
      after: { position },
      reason: why,
    }).catch((error: unknown) => logger.warn({ reason: messageOf(error) }, 'the audit log was not written'));
  }
}
