import { Wake } from '../../clock/wake.ts';
import type { Watch } from '../../etcd/port.ts';
import type { OperationRun } from './run.ts';
import type { Pause } from './wait.ts';

/**
 * Ends a coordinator's waits as soon as anything of its cluster changes: what agents report is part of the pause that
 * callers feel. It only ever shortens a wait, so a watch that can't be had costs nothing but time.
 */
export class ClusterChanges {
  readonly #watch: Promise<Watch | undefined>;
  readonly #wake: Wake;

  constructor({ etcd, keys, clock }: Pick<OperationRun, 'etcd' | 'keys' | 'clock'>, cluster: string) {
    this.#wake = new Wake(clock);
    const notice = () => this.#wake.call();
    this.#watch = etcd
      .watch(keys.cluster(cluster), { onSnapshot: notice, onEvents: notice })
      .catch(() => undefined);
  }

  /** What came since the last look began may not have been in it: then there is no pause. */
  readonly pause: Pause = (ms, signal) => this.#wake.rest(ms, signal);

  async close(): Promise<void> {
    await (await this.#watch)?.close();
  }
}
