import { Link, type LinkReport, type LinkSettings } from './link.ts';
import { linkUnknown } from './link-unknown.ts';

/** A change of one direction; keys that are left out stay as they are. */
export interface LinkChange {
  readonly from: string;
  readonly to: string;
  readonly settings: Partial<LinkSettings>;
}

interface Kept {
  readonly link: Link;
  readonly baseline: LinkSettings;
}

/** Every ordered pair of regions, and pairs of others that were added. `heal` brings a link back to the settings that it was made with. */
export class Links {
  readonly #links = new Map<string, Kept>();

  constructor(regions: readonly string[], baseline: LinkSettings) {
    for (const from of regions) {
      for (const to of regions) if (from !== to) this.#make(from, to, baseline);
    }
  }

  /** Both ways between two ends, without a delay of their own, unless they are there already. */
  add(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      if (!this.#links.has(`${from} ${to}`)) this.#make(from, to, OPEN);
    }
  }

  /** Throws CapstanError `link_unknown` (exit 2) for ends that don't exist, are the same, or have no link between them. */
  get(from: string, to: string): Link {
    return this.#kept(from, to).link;
  }

  change(changes: readonly LinkChange[]): void {
    const links = changes.map(({ from, to }) => this.get(from, to));
    for (const [index, { settings }] of changes.entries()) links[index]?.change(settings);
  }

  heal(pairs: readonly { from: string; to: string }[]): void {
    for (const { link, baseline } of pairs.map(({ from, to }) => this.#kept(from, to))) link.change(baseline);
  }

  report(): LinkReport[] {
    return [...this.#links.values()].map(({ link }) => link.report());
  }

  #make(from: string, to: string, baseline: LinkSettings): void {
    this.#links.set(`${from} ${to}`, { link: new Link(from, to, baseline), baseline });
  }

  #kept(from: string, to: string): Kept {
    const kept = this.#links.get(`${from} ${to}`);
    if (kept !== undefined) return kept;
    throw linkUnknown(
      from,
      to,
      [...this.#links.values()].map(({ link }) => link),
    );
  }
}

const OPEN: LinkSettings = { delayMs: 0, bytesPerSecond: null, cut: null };
