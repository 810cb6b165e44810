import type { SimProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * What lies between hosts. Each direction of each pair can be cut by itself. A message takes a millisecond or so, and in a spell of
 * delays up to seconds; what is under way when its direction is cut is lost.
 */
export class Network {
  readonly #scheduler: Scheduler;
  /** `from>to`; `*` stands for all hosts. */
  readonly #cut = new Map<string, number>();
  /** Host -> the most that a message to or from it may take meanwhile. */
  readonly #slow = new Map<string, number>();
  messagesLost = 0;
  /** Hosts of another region: a message between them and the others takes its time. */
  readonly far = new Set<string>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  cut(from: string, to: string): () => void {
    const key = `${from}>${to}`;
    this.#cut.set(key, (this.#cut.get(key) ?? 0) + 1);
    let healed = false;
    return () => {
      if (healed) return;
      healed = true;
      this.#cut.set(key, (this.#cut.get(key) ?? 1) - 1);
    };
  }

  slow(host: string, mostMs: number): () => void {
    this.#slow.set(host, mostMs);
    return () => this.#slow.delete(host);
  }

  isCut(from: string, to: string): boolean {
    if (from === to) return false;
    return [`${from}>${to}`, `${from}>*`, `*>${to}`].some((key) => (this.#cut.get(key) ?? 0) > 0);
  }

  /** Whether something lies between it and etcd, or its messages take their time. */
  isHindered(host: string): boolean {
    return (
      this.isCut(host, 'etcd') || this.isCut('etcd', host) || this.#slow.has(host) || this.#slow.has('etcd')
    );
  }

  delayMs(from: string, to: string): number {
    const { random } = this.#scheduler;
    if (from === to) return random.between(0.05, 0.3);
    const slow = Math.max(this.#slow.get(from) ?? 0, this.#slow.get(to) ?? 0);
    if (slow > 0 && random.chance(0.4)) return random.between(1, slow);
    const farMs = this.far.has(from) === this.far.has(to) ? 0 : random.between(15, 40);
    return farMs + (random.chance(0.02) ? random.between(3, 60) : random.between(0.4, 2.5));
  }

  /** `lost` is told when the direction is cut at the moment of arrival. */
  send(
    route: { readonly from: string; readonly to: string; readonly label: string; readonly extraMs?: number },
    arrive: () => void,
    lost: () => void = () => undefined,
  ): void {
    const { from, to, label, extraMs = 0 } = route;
    this.#scheduler.after(this.delayMs(from, to) + extraMs, label, () => {
      if (!this.isCut(from, to)) {
        arrive();
        return;
      }
      this.messagesLost += 1;
      this.#scheduler.note(`lost: ${label}`);
      lost();
    });
  }

  /** As `send`, to a process: it waits while that is paused. */
  tell(process: SimProcess, from: string, label: string, run: () => void): void {
    this.send({ from, to: process.host.name, label }, () => process.deliver(label, run));
  }
}
