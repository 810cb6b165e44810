import { usageError } from '../../domain/errors.ts';
import { Link, type LinkReport, type LinkSettings } from './link.ts';

/** A change of one direction; keys that are left out stay as they are. */
export interface LinkChange {
  readonly from: string;
  readonly to: string;
  readonly settings: Partial<LinkSettings>;
}

/** Every ordered pair of regions. `heal` brings a link back to the settings that it was made with. */
export class Links {
  readonly regions: readonly string[];
  readonly #baseline: LinkSettings;
  readonly #links = new Map<string, Link>();

  constructor(regions: readonly string[], baseline: LinkSettings) {
    this.regions = regions;
    this.#baseline = baseline;
    for (const from of regions) {
      for (const to of regions) {
        if (from !== to) this.#links.set(`${from} ${to}`, new Link(from, to, baseline));
      }
    }
  }

  /** Throws CapstanError `link_unknown` (exit 2) for regions that don't exist or are the same. */
  get(from: string, to: string): Link {
    const link = this.#links.get(`${from} ${to}`);
    if (link !== undefined) return link;
    throw usageError(`there is no link from ${from} to ${to}`, {
      code: 'link_unknown',
      next: `regions: ${this.regions.join(', ')}`,
    });
  }

  change(changes: readonly LinkChange[]): void {
    const links = changes.map(({ from, to }) => this.get(from, to));
    for (const [index, { settings }] of changes.entries()) links[index]?.change(settings);
  }

  heal(pairs: readonly { from: string; to: string }[]): void {
    for (const link of pairs.map(({ from, to }) => this.get(from, to))) link.change(this.#baseline);
  }

  report(): LinkReport[] {
    return [...this.#links.values()].map((link) => link.report());
  }
}
