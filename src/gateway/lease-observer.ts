import type { EstateView } from '../controlplane/estate-snapshot.ts';
import type { Contract } from '../domain/contract.ts';
import type { RouteSource } from './route-table.ts';

/**
 * Notices, on this process's own clock, when leaders renew their leases. A record seen for the first time may be of any
 * age: only the next one proves that its leader renews. It tells readers of /readyz; whether a
 * decision may be made is Postgres's to say.
 */
export class LeaseObserver {
  readonly #goodForMs: number;
  readonly #seen = new Map<string, { revision: string; renewedAt: number | undefined }>();
  readonly #stop: () => void;

  constructor(source: RouteSource, { lease }: Pick<Contract, 'lease'>) {
    this.#goodForMs = lease.ttlMs + lease.driftMs;
    this.#look(source.current());
    this.#stop = source.onChange((view) => this.#look(view));
  }

  renewedRecently(cluster: string): boolean {
    const renewedAt = this.#seen.get(cluster)?.renewedAt;
    return renewedAt !== undefined && performance.now() - renewedAt < this.#goodForMs;
  }

  close(): void {
    this.#stop();
  }

  #look(view: EstateView): void {
    for (const [cluster, { lease, authority }] of view.clusters) {
      const seen = this.#seen.get(cluster);
      if (lease === undefined || lease.value.term !== authority?.value.term) this.#seen.delete(cluster);
      else if (seen?.revision !== lease.revision) {
        const renewedAt = seen === undefined ? undefined : performance.now();
        this.#seen.set(cluster, { revision: lease.revision, renewedAt });
      }
    }
  }
}
