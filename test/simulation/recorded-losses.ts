import type { LossRecord } from '../../src/domain/loss-records.ts';
import type { Told } from './sim-client.ts';

/** What failovers to another region have recorded as lost, from their decision on. */
export class RecordedLosses {
  readonly #records = new Map<string, LossRecord>();

  record(loss: LossRecord): void {
    this.#records.set(loss.operation, loss);
  }

  /** Whether a record says that this may be lost: of an authority before its own, beyond its prefix. */
  covers({ shard, position, term }: Told): boolean {
    return [...this.#records.values()].some(
      (loss) => term < loss.term && Number(position) > Number(loss.positions[String(shard)] ?? '0'),
    );
  }
}
