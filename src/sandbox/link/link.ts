import { isRegion } from '../topology.ts';

/**
 * - `hold`: what is sent waits, as TCP's own retransmission would make it wait, and arrives after the cut.
 * - `lose`: what is sent is gone; when the link heals, each connection that missed something is reset, for a stream with
 *   a hole must never arrive.
 */
export type CutMode = 'hold' | 'lose';

/** One way from a region to another. */
export interface LinkSettings {
  readonly delayMs: number;
  readonly bytesPerSecond: number | null;
  readonly cut: CutMode | null;
}

export interface LinkReport extends LinkSettings {
  readonly from: string;
  readonly to: string;
  readonly connections: number;
  /** Bytes that arrived at their destination, as a decimal string. */
  readonly deliveredBytes: string;
}

/** The delay that a link was made with: a member's own link adds none to that of the regions. */
export const firstDelayMsOf = ({ from, to }: Pick<LinkReport, 'from' | 'to'>, wanDelayMs: number): number =>
  isRegion(from) && isRegion(to) ? wanDelayMs : 0;

/** Whether a link is not as it was made. */
export const isDisturbed = (link: LinkReport, { wanDelayMs }: { readonly wanDelayMs: number }): boolean =>
  link.cut !== null || link.bytesPerSecond !== null || link.delayMs !== firstDelayMsOf(link, wanDelayMs);

/** What hears of a change of settings: the pipes that carry bytes, and the connections that wait to be dialled. */
export interface LinkUser {
  linkChanged(): void;
}

/** The settings and the shared bandwidth of one direction between two regions. */
export class Link {
  readonly from: string;
  readonly to: string;
  #settings: LinkSettings;
  #busyUntil = 0;
  #deliveredBytes = 0n;
  readonly #pipes = new Set<LinkUser>();
  readonly #waiting = new Set<LinkUser>();

  constructor(from: string, to: string, settings: LinkSettings) {
    this.from = from;
    this.to = to;
    this.#settings = settings;
  }

  get settings(): LinkSettings {
    return this.#settings;
  }

  change(change: Partial<LinkSettings>): void {
    this.#settings = { ...this.#settings, ...change };
    if (this.#settings.bytesPerSecond === null) this.#busyUntil = 0;
    for (const user of [...this.#pipes, ...this.#waiting]) user.linkChanged();
  }

  /** When something of this size, sent now, arrives: after the delay, and after all that was sent before it. */
  arrivalTime(now: number, bytes: number): number {
    const { delayMs, bytesPerSecond } = this.#settings;
    if (bytesPerSecond === null) return now + delayMs;
    this.#busyUntil = Math.max(now, this.#busyUntil) + (bytes * 1_000) / bytesPerSecond;
    return this.#busyUntil + delayMs;
  }

  join(pipe: LinkUser): void {
    this.#pipes.add(pipe);
  }

  leave(pipe: LinkUser): void {
    this.#pipes.delete(pipe);
  }

  awaitTurn(connection: LinkUser): void {
    this.#waiting.add(connection);
  }

  stopWaiting(connection: LinkUser): void {
    this.#waiting.delete(connection);
  }

  countDelivered(bytes: number): void {
    this.#deliveredBytes += BigInt(bytes);
  }

  report(): LinkReport {
    return {
      from: this.from,
      to: this.to,
      ...this.#settings,
      connections: this.#pipes.size,
      deliveredBytes: String(this.#deliveredBytes),
    };
  }
}
