import type { LossRecord, LostDecision } from '../domain/loss-records.ts';
import type { RouteSource } from './route-table.ts';

/** What is known of a token that its authority doesn't know. */
export type LossStanding =
  | { readonly kind: 'none' }
  /** Nobody can say yet, or ever: why, and by which failover. */
  | { readonly kind: 'unknown'; readonly operation: string; readonly why: string; readonly mayEnd: boolean }
  | { readonly kind: 'lost'; readonly operation: string; readonly entry: LostDecision };

export interface LossBookOptions {
  readonly source: RouteSource;
  readonly readReport: (operation: string) => Promise<readonly LostDecision[]>;
}

type Index = ReadonlyMap<string, LostDecision>;

const NONE: LossStanding = { kind: 'none' };
const keyOf = (issuer: string, token: string) => `${issuer}\0${token}`;

/**
 * What failovers have lost, as the view of etcd names it. The report of a signed-off loss never changes: it is read once,
 * as soon as the view shows it, and kept.
 */
export class LossBook {
  readonly #options: LossBookOptions;
  readonly #reports = new Map<string, Promise<Index | undefined>>();
  readonly #stop: () => void;

  constructor(options: LossBookOptions) {
    this.#options = options;
    this.#look();
    this.#stop = options.source.onChange(() => this.#look());
  }

  close(): void {
    this.#stop();
  }

  /** Whether any failover may have lost something of this shard: else there is nothing to ask. */
  concerns(shard: number): boolean {
    return this.#naming(shard).length > 0;
  }

  /** What becomes of a token that is absent at the shard's authority. */
  async standing(shard: number, { issuer, token }: { issuer: string; token: string }): Promise<LossStanding> {
    const naming = this.#naming(shard);
    const open = naming.find(({ status }) => status === 'open');
    if (open !== undefined) {
      const why = `decisions may have been lost by ${open.operation}, whose loss is not signed off yet`;
      return { kind: 'unknown', operation: open.operation, why, mayEnd: true };
    }
    for (const { operation } of naming) {
      const index = await this.#report(operation);
      if (index === undefined)
        return {
          kind: 'unknown',
          operation,
          why: `the report of ${operation} can't be read now`,
          mayEnd: true,
        };
      const entry = index.get(keyOf(issuer, token));
      if (entry !== undefined) return { kind: 'lost', operation, entry };
    }
    for (const { operation, members } of naming) {
      const waived = Object.entries(members).find(([, { state }]) => state === 'waived');
      if (waived !== undefined) {
        const why = `what ${waived[0]} held when ${operation} was decided was never read`;
        return { kind: 'unknown', operation, why, mayEnd: false };
      }
    }
    return NONE;
  }

  /** As `standing`, of a token whose issuer isn't known: anything that can't be told of one shard can't be told of it. */
  async standingAnywhere(token: string): Promise<LossStanding> {
    const all = [...this.#options.source.current().clusters.values()].flatMap(({ losses }) => [
      ...losses.values(),
    ]);
    let unknown: LossStanding = NONE;
    for (const { value } of all) {
      const index = value.status === 'open' ? undefined : await this.#report(value.operation);
      const waived = Object.values(value.members).some(({ state }) => state === 'waived');
      const entry = [...(index?.values() ?? [])].find((one) => one.token === token);
      if (entry !== undefined) return { kind: 'lost', operation: value.operation, entry };
      if (index !== undefined && !waived) continue;
      const why = `decisions may have been lost by ${value.operation}: name the issuer`;
      unknown = { kind: 'unknown', operation: value.operation, why, mayEnd: true };
    }
    return unknown;
  }

  /** The decision under this token that a failover lost before; `unread`: its report can't be read now. */
  async lostBefore(
    shard: number,
    { issuer, token }: { issuer: string; token: string },
  ): Promise<{ readonly operation: string; readonly entry: LostDecision } | 'unread' | undefined> {
    for (const { operation, status } of this.#naming(shard)) {
      if (status === 'open') continue;
      const index = await this.#report(operation);
      if (index === undefined) return 'unread';
      const entry = index.get(keyOf(issuer, token));
      if (entry !== undefined) return { operation, entry };
    }
    return undefined;
  }

  /** The failover that gave a position to a later authority, by that authority's cluster and term. */
  losingOf(
    { shard, position }: { readonly shard: number; readonly position: bigint },
    to: { readonly cluster: string; readonly term: number },
  ): string | undefined {
    return this.#naming(shard).find(
      ({ cluster, term, positions }) =>
        cluster === to.cluster && term === to.term && BigInt(positions[String(shard)] ?? position) < position,
    )?.operation;
  }

  /** By the shard itself, wherever it is owned by now. The newest first. */
  #naming(shard: number): readonly LossRecord[] {
    const found: LossRecord[] = [];
    for (const { losses } of this.#options.source.current().clusters.values())
      for (const { value } of losses.values())
        if (value.positions[String(shard)] !== undefined) found.push(value);
    return found.toSorted((a, b) => b.term - a.term);
  }

  #look(): void {
    for (const { losses } of this.#options.source.current().clusters.values())
      for (const { value } of losses.values())
        if (value.status === 'signed-off') void this.#report(value.operation);
  }

  /** Undefined: it can't be read; the next question asks again. */
  #report(operation: string): Promise<Index | undefined> {
    const known = this.#reports.get(operation);
    if (known !== undefined) return known;
    const reading = this.#read(operation);
    this.#reports.set(operation, reading);
    return reading;
  }

  async #read(operation: string): Promise<Index | undefined> {
    try {
      const entries = await this.#options.readReport(operation);
      return new Map(entries.map((entry) => [keyOf(entry.issuer, entry.token), entry] as const));
    } catch {
      this.#reports.delete(operation);
      return undefined;
    }
  }
}
