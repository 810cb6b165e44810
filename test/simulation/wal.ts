import { assertNever } from '../../src/domain/errors.ts';
import { applyMove, type MoveChange, MoveTables } from './move-tables.ts';

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
  | MoveChange
  /** A transaction that changes no table that matters here; its commit may wait for followers all the same. */
  | { readonly kind: 'nothing'; readonly why: string };

export interface AdoptedShard {
  readonly shard: number;
  readonly generation: number;
  readonly state: 'serving' | 'sealed';
  /** The version of the map that wrote the entry. */
  readonly mapVersion?: number;
  /** Sealed here whatever the map says, and without a lineage row: rows are missing. */
  readonly withheld?: boolean;
}

export interface Decision {
  readonly position: number;
  readonly generation: number;
  readonly term: number;
  readonly outcome: string;
  readonly decidedAt: string;
}

export interface ShardAuthority {
  readonly cluster: string;
  readonly generation: number;
  readonly state: 'serving' | 'sealed' | 'moved';
  readonly mapVersion: number;
}

/** The tables, as the fold of the log up to some record. */
export class Tables {
  state: { cluster: string; epoch: number; term: number; incarnation: string | null } | undefined;
  readonly authority = new Map<number, ShardAuthority>();
  readonly heads = new Map<number, number>();
  /** By shard, a slash and the token. */
  readonly tokens = new Map<string, Decision>();
  /** By shard, generation and term, with slashes. */
  readonly lineage = new Map<string, { readonly firstPosition: number; readonly cluster: string }>();
  /** What a move makes and leaves behind here. */
  readonly moves = new MoveTables();

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
        return;
      case 'publish':
      case 'unpublish':
      case 'subscribe':
      case 'unsubscribe':
      case 'apply':
      case 'copy':
      case 'rows':
      case 'seal':
      case 'wipe':
        applyMove(this, change);
        return;
      default:
        assertNever(change);
    }
  }

  #adopt({ cluster, epoch, term, incarnation, shards }: Extract<Change, { kind: 'adopt' }>): void {
    this.state = { cluster, epoch, term, incarnation: this.state?.incarnation ?? incarnation };
    for (const { shard, generation, state, mapVersion = 0, withheld = false } of shards) {
      if (!this.heads.has(shard) && !withheld) this.heads.set(shard, 0);
      const seen = this.authority.get(shard)?.mapVersion ?? 0;
      this.authority.set(shard, { cluster, generation, state, mapVersion: Math.max(seen, mapVersion) });
      const key = `${shard}/${generation}/${term}`;
      if (!withheld && !this.lineage.has(key))
        this.lineage.set(key, { firstPosition: (this.heads.get(shard) ?? 0) + 1, cluster });
    }
    for (const [shard, row] of this.authority)
      if (!shards.some((named) => named.shard === shard))
        this.authority.set(shard, { ...row, state: 'moved' });
  }
}

/** Where a change leaves a shard's head; undefined: it doesn't touch it. */
export function headAfter(change: Change, shard: number): number | undefined {
  switch (change.kind) {
    case 'decide':
      return change.shard === shard ? change.position : undefined;
    case 'rows':
      return change.changes.reduce<number | undefined>((at, one) => headAfter(one, shard) ?? at, undefined);
    case 'copy':
      return change.rows.find((row) => row.shard === shard)?.position;
    case 'wipe':
      return change.heads && change.shards.includes(shard) ? 0 : undefined;
    case 'adopt':
    case 'seal':
    case 'nothing':
    case 'publish':
    case 'unpublish':
    case 'subscribe':
    case 'unsubscribe':
    case 'apply':
      return undefined;
    default:
      return assertNever(change);
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
