import type { EstateView } from '../controlplane/estate-snapshot.ts';
import type { Contract } from '../domain/contract.ts';
import type { RouteSource } from './route-table.ts';

/**
 * Notices, on this process's own clock, when leaders' lease records last changed. It tells readers of /readyz; whether a
 * decision may be made is Postgres's to say.
 */
export class LeaseObserver {
  readonly #goodForMs: number;
  readonly #seen = new Map<string, { revision: string; at: number }>();
  readonly #stop: () => void;

  constructor(source: RouteSource, { lease }: Pick<Contract, 'lease'>) {
    this.#goodForMs = lease.ttlMs + lease.driftMs;
    this.#look(source.current());
    this.#stop = source.onChange((view) => this.#look(view));
  }

  renewedRecently(cluster: string): boolean {
    const seen = this.#seen.get(cluster);
    return seen !== undefined && performance.now() - seen.at < this.#goodForMs;
  }

  close(): void {
    this.#stop();
  }

  #look(view: EstateView): void {
    for (const [cluster, { lease, authority }] of view.clusters) {
      if (lease === undefined || lease.value.term !== authority?.value.term) this.#seen.delete(cluster);
      else if (this.#seen.get(cluster)?.revision !== lease.revision) {
        this.#seen.set(cluster, { revision: lease.revision, at: performance.now() });
      }
    }
  }
}
