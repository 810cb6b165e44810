/** One committed change of a member's log. Members share the objects: two logs agree where they hold the same ones. */
export interface LogRecord {
  /** Where it ends, in bytes. */
  readonly lsn: number;
  readonly timeline: number;
  /** Who wrote it first. */
  readonly by: string;
  readonly change: Change;
}

export type Change =
  | {
      readonly kind: 'decide';
      readonly shard: number;
      readonly position: number;
      readonly token: string;
      readonly generation: number;
      readonly term: number;
      readonly outcome: string;
      readonly decidedAt: string;
    }
  | {
      readonly kind: 'adopt';
      readonly cluster: string;
      readonly epoch: number;
      readonly term: number;
      readonly reason: string;
      readonly incarnation: string | null;
      readonly shards: readonly AdoptedShard[];
    }
  /** A transaction that changes no table that matters here; its commit may wait for followers all the same. */
  | { readonly kind: 'nothing'; readonly why: string };

export interface AdoptedShard {
  readonly shard: number;
  readonly generation: number;
  readonly state: 'serving' | 'sealed';
}

export interface Decision {
  readonly position: number;
  readonly generation: number;
  readonly term: number;
  readonly outcome: string;
  readonly decidedAt: string;
}

/** The tables, as the fold of the log up to some record. */
export class Tables {
  state: { cluster: string; epoch: number; term: number; incarnation: string | null } | undefined;
  readonly authority = new Map<
    number,
    { cluster: string; generation: number; state: 'serving' | 'sealed' | 'moved' }
  >();
  readonly heads = new Map<number, number>();
  /** By shard, a slash and the token. */
  readonly tokens = new Map<string, Decision>();
  readonly lineage = new Map<string, { readonly firstPosition: number; readonly cluster: string }>();

  apply({ change }: Pick<LogRecord, 'change'>): void {
    switch (change.kind) {
      case 'nothing':
        return;
      case 'decide':
        this.heads.set(change.shard, change.position);
        this.tokens.set(`${change.shard}/${change.token}`, change);
        return;
      case 'adopt':
        this.#adopt(change);
    }
  }

  #adopt({ cluster, epoch, term, incarnation, shards }: Extract<Change, { kind: 'adopt' }>): void {
    this.state = { cluster, epoch, term, incarnation: this.state?.incarnation ?? incarnation };
    for (const { shard, generation, state } of shards) {
      if (!this.heads.has(shard)) this.heads.set(shard, 0);
      this.authority.set(shard, { cluster, generation, state });
      const key = `${shard}/${generation}/${term}`;
      if (!this.lineage.has(key))
        this.lineage.set(key, { firstPosition: (this.heads.get(shard) ?? 0) + 1, cluster });
    }
    for (const [shard, row] of this.authority)
      if (!shards.some((named) => named.shard === shard))
        this.authority.set(shard, { ...row, state: 'moved' });
  }
}

/** As the name of a WAL file begins. */
export const timelineHex = ({ timeline }: { readonly timeline: number }): string =>
  timeline.toString(16).toUpperCase().padStart(8, '0');

export const lsnText = (lsn: number): string =>
  `${Math.floor(lsn / 0x1_0000_0000).toString(16)}/${(lsn % 0x1_0000_0000).toString(16)}`.toUpperCase();

export function lsnNumber(text: string): number {
  const [high = '0', low = '0'] = text.split('/');
  return Number.parseInt(high, 16) * 0x1_0000_0000 + Number.parseInt(low, 16);
}
