import { Wake } from '../../clock/wake.ts';
import type { Watch } from '../../etcd/port.ts';
import type { Pause } from '../operation/wait.ts';
import type { RebalanceRun } from './context.ts';

/**
 * Ends a coordinator's waits as soon as an agent or a person changes something of a stream: what agents report is part of the
 * pause that callers feel. It only ever shortens a wait, so a watch that can't be had costs nothing but time.
 */
export class MoveChanges {
  #watches: readonly (Watch | undefined)[] = [];
  readonly #wake: Wake;

  private constructor(clock: RebalanceRun['clock']) {
    this.#wake = new Wake(clock);
  }

  static async open({ etcd, keys, clock, operation }: RebalanceRun): Promise<MoveChanges> {
    const changes = new MoveChanges(clock);
    const notice = () => changes.#wake.call();
    const { id } = operation.held.value;
    changes.#watches = await Promise.all(
      [keys.movesOf(id), keys.moveReportsOf(id)].map((prefix) =>
        etcd.watch(prefix, { onSnapshot: notice, onEvents: notice }).catch(() => undefined),
      ),
    );
    return changes;
  }

  /** What came since the last look began may not have been in it: then there is no pause. */
  readonly pause: Pause = (ms, signal) => this.#wake.rest(ms, signal);

  async close(): Promise<void> {
    for (const watch of this.#watches) await watch?.close();
  }
}
