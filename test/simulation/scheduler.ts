import { setImmediate as drained } from 'node:timers/promises';
import type { Random } from './random.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly label: string;
  run: (() => void) | undefined;
}

/** How many of the latest events are kept for a report. */
const KEPT = 400;

/**
 * True time and the one queue of everything that will happen. Events run one at a time; all promise reactions that one
 * brings about are over before the next begins, so that a seed's run is the same each time. What happens is written into
 * a trace, of which a digest and the end are always kept, and the whole only when asked for.
 */
export class Scheduler {
  readonly random: Random;
  /** Milliseconds of true time; no process can read it. */
  now = 0;
  events = 0;
  /** Called after each event that did something. */
  afterEvent: () => void = () => undefined;
  /** What to let go of when the world is over. */
  readonly onEnd: (() => void)[] = [];
  readonly #heap: Entry[] = [];
  readonly #keepAll: boolean;
  #trace: string[] = [];
  #digest = 0x811c_9dc5;
  #order = 0;

  constructor(random: Random, { keepTrace = false }: { readonly keepTrace?: boolean } = {}) {
    this.random = random;
    this.#keepAll = keepTrace;
  }

  /** The answer takes the event back; it may be called at any time. An empty label stays out of the trace. */
  after(ms: number, label: string, run: () => void): () => void {
    return this.at(this.now + Math.max(0, ms), label, run);
  }

  /** As `after`, at a moment of true time; events of one moment run in the order in which they were asked for. */
  at(time: number, label: string, run: () => void): () => void {
    this.#order += 1;
    const entry: Entry = { at: time, order: this.#order, label, run };
    this.#push(entry);
    return () => {
      entry.run = undefined;
    };
  }

  note(text: string): void {
    const line = `${this.now.toFixed(3)} ${text}`;
    for (let index = 0; index < line.length; index += 1)
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(index), 0x0100_0193);
    this.#trace.push(line);
    if (!this.#keepAll && this.#trace.length > KEPT * 2) this.#trace = this.#trace.slice(-KEPT);
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  /** Of every line that was ever noted. */
  get digest(): string {
    return (this.#digest >>> 0).toString(16).padStart(8, '0');
  }

  /** Runs until the queue is empty, that time has come, or `over` says so. */
  async run(untilMs: number, over: () => boolean): Promise<void> {
    await drained();
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.at > untilMs) {
        this.now = Math.max(this.now, Math.min(untilMs, entry?.at ?? untilMs));
        return;
      }
      this.#pop();
      const { run } = entry;
      if (run === undefined) continue;
      this.now = entry.at;
      if (entry.label !== '') this.note(entry.label);
      this.events += 1;
      run();
      await drained();
      this.afterEvent();
      if (over()) return;
    }
  }

  /** Nothing will happen any more. */
  end(): void {
    for (const end of this.onEnd) end();
    this.#heap.length = 0;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    heap.push(entry);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below !== undefined && right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (below === undefined || !isBefore(below, last)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
