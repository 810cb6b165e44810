import type { Watch } from '../../etcd/port.ts';
import type { Pause } from '../operation/wait.ts';
import type { RebalanceRun } from './context.ts';

const CHANGED = 'changed';

/**
 * Ends a coordinator's waits as soon as an agent or a person changes something of a stream: what agents report is part of the
 * pause that callers feel. It only ever shortens a wait, so a watch that can't be had costs nothing but time.
 */
export class MoveChanges {
  readonly #clock: RebalanceRun['clock'];
  #watches: readonly (Watch | undefined)[] = [];
  #changed = new AbortController();
  #unseen = false;

  private constructor(clock: RebalanceRun['clock']) {
    this.#clock = clock;
  }

  static async open({ etcd, keys, clock, operation }: RebalanceRun): Promise<MoveChanges> {
    const changes = new MoveChanges(clock);
    const notice = () => changes.#notice();
    const { id } = operation.held.value;
    changes.#watches = await Promise.all(
      [keys.movesOf(id), keys.moveReportsOf(id)].map((prefix) =>
        etcd.watch(prefix, { onSnapshot: notice, onEvents: notice }).catch(() => undefined),
      ),
    );
    return changes;
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
    for (const watch of this.#watches) await watch?.close();
  }

  #notice(): void {
    this.#unseen = true;
    this.#changed.abort(CHANGED);
    this.#changed = new AbortController();
  }
}
