import { CapstanError, messageOf } from '../../domain/errors.ts';
import { type MoveRecord, otherOf } from '../../domain/move-records.ts';
import { topologyRefusal } from '../rpo-gate-standing.ts';
import { readClusterView } from '../cluster-view.ts';
import { type HeldMove, type RebalanceRun, tell } from './context.ts';
import { planOf } from './phases.ts';
import { note } from './write.ts';

const REST_MS = 500;
const STOP_MS = 5_000;

/** The leg that was compared is gone, or its coordinator: what was found says nothing of what is there now. */
class Gone extends Error {}

/**
 * The comparisons that are under way, one a stream and no more at once than copies, side by side with everything else. Each keeps its cursor in the stream's
 * record, so whoever drives next goes on from there; it ends by itself when the leg that it compares does.
 */
export class Verifications {
  readonly #run: RebalanceRun;
  readonly #running = new Map<number, Promise<void>>();
  /** By stream: its record with what was found. */
  readonly #found = new Map<number, HeldMove>();
  readonly #stop = new AbortController();
  #failure: unknown;

  constructor(run: RebalanceRun) {
    this.#run = run;
  }

  /** True: it begins. False: it runs already, or others do, or what was found is newer than this record. Never throws: see `throwFailure`. */
  begin({ value: record, revision }: HeldMove): boolean {
    const { stream } = record;
    const { concurrentCopiesMax } = planOf(this.#run.operation.held.value).options;
    const known = BigInt(this.#found.get(stream)?.revision ?? '0') > BigInt(revision);
    if (known || this.#running.has(stream) || this.#running.size >= concurrentCopiesMax) return false;
    tell(this.#run, record, { state: 'waiting', detail: 'the rows of both sides are compared' });
    const work = this.#verify(record)
      .catch((error: unknown) => {
        if (!(error instanceof Gone) && !this.#stop.signal.aborted) this.#failure ??= error;
      })
      .finally(() => this.#running.delete(stream));
    this.#running.set(stream, work);
    return true;
  }

  /** Whether this leg was compared in full here. */
  hasCompared({ stream, attempt, leg }: MoveRecord): boolean {
    const found = this.#found.get(stream)?.value;
    return found?.attempt === attempt && found.leg === leg;
  }

  /** What stopped one of them; the operation stays as it is. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends them; one that doesn't hear of it in time is left behind and notes nothing more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    const waited = new AbortController();
    const ended = Promise.all(this.#running.values()).finally(() => waited.abort());
    await Promise.race([ended, this.#run.clock.sleep(STOP_MS, waited.signal)]);
  }

  async #verify(record: MoveRecord): Promise<void> {
    const run = this.#run;
    const sides = await run.sides();
    try {
      const { verification, differences } = await sides.verify({
        record,
        signal: this.#stop.signal,
        onProgress: async (cursor) => {
          if ((await note(run, record, () => ({ cursor }))) === undefined) throw new Gone();
          tell(run, record, {
            state: 'waiting',
            detail: `compared ${cursor.rows} rows, at shard ${cursor.shard}, ${cursor.table}`,
          });
          await this.#rest(record);
        },
      });
      if (this.#stop.signal.aborted) throw new Gone();
      const error =
        differences.length === 0
          ? null
          : { code: 'move_differs', message: `both sides differ in ${differences.length} places` };
      const noted = await note(run, record, () => ({ verification, differences, cursor: null, error }));
      if (noted !== undefined) this.#found.set(record.stream, noted);
      const found =
        differences.length === 0 ? 'both sides are equal' : `${differences.length} differences were found`;
      tell(run, record, { state: 'finished', detail: `${verification.rows} rows compared: ${found}` });
    } catch (error) {
      if (error instanceof CapstanError)
        await note(run, record, () => ({ error: { code: error.code, message: messageOf(error) } })).catch(
          () => undefined,
        );
      throw error;
    }
  }

  /** Reading every row is load, and the other one's followers come first. */
  async #rest(record: MoveRecord): Promise<void> {
    const { etcd, keys, contract, clock } = this.#run;
    const { signal } = this.#stop;
    const other = otherOf(record);
    while (!signal.aborted) {
      const view = await readClusterView(etcd, keys, other);
      if (view === undefined || topologyRefusal(view, contract, clock.wallMs()) === undefined) return;
      tell(this.#run, record, { state: 'waiting', detail: `the comparison rests: RPO gate of ${other}` });
      await clock.sleep(REST_MS, signal);
    }
  }
}
