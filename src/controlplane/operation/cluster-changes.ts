import type { Watch } from '../../etcd/port.ts';
import type { OperationRun } from './run.ts';
import type { Pause } from './wait.ts';

const CHANGED = 'changed';

/**
 * Ends a coordinator's waits as soon as anything of its cluster changes: what agents report is part of the pause that
 * callers feel. It only ever shortens a wait, so a watch that can't be had costs nothing but time.
 */
export class ClusterChanges {
  readonly #clock: OperationRun['clock'];
  readonly #watch: Promise<Watch | undefined>;
  #changed = new AbortController();
  #unseen = false;

  constructor({ etcd, keys, clock }: Pick<OperationRun, 'etcd' | 'keys' | 'clock'>, cluster: string) {
    this.#clock = clock;
    const notice = () => this.#notice();
    this.#watch = etcd
      .watch(keys.cluster(cluster), { onSnapshot: notice, onEvents: notice })
      .catch(() => undefined);
  }

  readonly pause: Pause = async (ms, signal) => {
    // What came since the last look began may not have been in it.
    if (!this.#unseen) {
      const either = signal === undefined ? [] : [signal];
      await this.#clock.sleep(ms, AbortSignal.any([...either, this.#changed.signal]));
    }
    this.#unseen = false;
  };

  async close(): Promise<void> {
    await (await this.#watch)?.close();
  }

  #notice(): void {
    this.#unseen = true;
    this.#changed.abort(CHANGED);
    this.#changed = new AbortController();
  }
}
