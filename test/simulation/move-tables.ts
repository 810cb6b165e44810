/** What a move leaves in a log, and in the tables that are its fold. */
import { assertNever } from '../../src/domain/errors.ts';
import type { Change, Decision, Tables } from './wal.ts';

/** All moving rows of one shard. */
export interface ShardRows {
  readonly shard: number;
  readonly position: number;
  readonly marker: string | null;
  readonly tokens: readonly (readonly [token: string, Decision])[];
  readonly lineage: readonly (readonly [
    key: string,
    { readonly firstPosition: number; readonly cluster: string },
  ])[];
}

/** A subscription as the catalog has it. */
export interface Subscription {
  readonly name: string;
  /** The member that it is sent from. */
  readonly source: string;
  readonly enabled: boolean;
  readonly copies: boolean;
}

export type MoveChange =
  | { readonly kind: 'publish'; readonly name: string; readonly shards: readonly number[] }
  | { readonly kind: 'unpublish'; readonly name: string }
  | { readonly kind: 'subscribe'; readonly subscription: Subscription }
  | { readonly kind: 'apply'; readonly name: string; readonly on: boolean }
  | { readonly kind: 'unsubscribe'; readonly name: string }
  /** The source's rows as of `upTo` of its log. */
  | {
      readonly kind: 'copy';
      readonly name: string;
      readonly upTo: number;
      readonly rows: readonly ShardRows[];
    }
  /** One transaction of the source, applied; with it goes how far the source's log was applied. */
  | {
      readonly kind: 'rows';
      readonly name: string;
      readonly upTo: number;
      readonly changes: readonly Change[];
    }
  | {
      readonly kind: 'seal';
      readonly shards: readonly { readonly shard: number; readonly mapVersion: number }[];
      readonly marker: string;
    }
  | {
      readonly kind: 'wipe';
      readonly operation: string;
      readonly attempt: number;
      readonly revision: number;
      readonly shards: readonly number[];
      /** Whether the heads go too, so that nothing is left. */
      readonly heads: boolean;
    };

/** `capstan.arrival`. */
export interface ArrivalRow {
  readonly operation: string;
  readonly attempt: number;
  readonly revision: number;
  readonly wiped: boolean;
}

export class MoveTables {
  readonly publications = new Map<string, readonly number[]>();
  readonly subscriptions = new Map<string, Subscription>();
  /** Subscription -> up to where its source's log is applied here; absent: its rows are not copied yet. */
  readonly origins = new Map<string, number>();
  readonly markers = new Map<number, string>();
  readonly arrivals = new Map<number, ArrivalRow>();
}

export function applyMove(tables: Tables, change: MoveChange): void {
  const { moves } = tables;
  switch (change.kind) {
    case 'publish':
      moves.publications.set(change.name, change.shards);
      return;
    case 'unpublish':
      moves.publications.delete(change.name);
      return;
    case 'subscribe': {
      const { subscription } = change;
      moves.subscriptions.set(subscription.name, subscription);
      if (!subscription.copies) moves.origins.set(subscription.name, 0);
      return;
    }
    case 'apply': {
      const found = moves.subscriptions.get(change.name);
      if (found !== undefined) moves.subscriptions.set(change.name, { ...found, enabled: change.on });
      return;
    }
    case 'unsubscribe':
      moves.subscriptions.delete(change.name);
      moves.origins.delete(change.name);
      return;
    case 'copy':
      for (const row of change.rows) putRows(tables, row);
      moves.origins.set(change.name, change.upTo);
      return;
    case 'rows':
      for (const one of change.changes) applyRemote(tables, one);
      moves.origins.set(change.name, change.upTo);
      return;
    case 'seal':
      for (const { shard, mapVersion } of change.shards) {
        const row = tables.authority.get(shard);
        if (row !== undefined)
          tables.authority.set(shard, {
            ...row,
            state: 'sealed',
            mapVersion: Math.max(row.mapVersion, mapVersion),
          });
        moves.markers.set(shard, change.marker);
      }
      return;
    case 'wipe':
      for (const shard of change.shards) {
        if (change.heads) dropRows(tables, shard);
        const { operation, attempt, revision, heads } = change;
        moves.arrivals.set(shard, { operation, attempt, revision, wiped: heads });
      }
  }
}

function putRows(tables: Tables, { shard, position, marker, tokens, lineage }: ShardRows): void {
  tables.heads.set(shard, position);
  if (marker !== null) tables.moves.markers.set(shard, marker);
  for (const [token, decision] of tokens) tables.tokens.set(`${shard}/${token}`, decision);
  for (const [key, row] of lineage) tables.lineage.set(key, row);
}

function dropRows(tables: Tables, shard: number): void {
  tables.heads.delete(shard);
  tables.moves.markers.delete(shard);
  for (const rows of [tables.tokens, tables.lineage])
    for (const key of rows.keys()) if (key.startsWith(`${shard}/`)) rows.delete(key);
}

/** By key, as an apply worker does: an update of a head that isn't there changes nothing, and nobody is told. */
function applyRemote(tables: Tables, change: Change): void {
  const { heads, moves } = tables;
  switch (change.kind) {
    case 'decide':
      tables.tokens.set(`${change.shard}/${change.token}`, change);
      if (heads.has(change.shard)) heads.set(change.shard, change.position);
      return;
    case 'seal':
      for (const { shard } of change.shards) if (heads.has(shard)) moves.markers.set(shard, change.marker);
      return;
    case 'adopt':
      for (const { shard, generation, withheld } of change.shards)
        if (withheld !== true && !tables.lineage.has(`${shard}/${generation}/${change.term}`))
          tables.lineage.set(`${shard}/${generation}/${change.term}`, {
            firstPosition: (heads.get(shard) ?? 0) + 1,
            cluster: change.cluster,
          });
      return;
    case 'rows':
      for (const one of change.changes) applyRemote(tables, one);
      return;
    case 'copy':
      for (const row of change.rows) putRows(tables, row);
      return;
    case 'wipe':
      for (const shard of change.shards) if (change.heads) dropRows(tables, shard);
      return;
    case 'nothing':
    case 'publish':
    case 'unpublish':
    case 'subscribe':
    case 'unsubscribe':
    case 'apply':
      return;
    default:
      assertNever(change);
  }
}

/** What a publication sends of one transaction: its shards' rows, whoever wrote them first; undefined: nothing. */
export function published(change: Change, shards: ReadonlySet<number>): Change | undefined {
  switch (change.kind) {
    case 'decide':
      return shards.has(change.shard) ? change : undefined;
    case 'seal':
    case 'adopt': {
      const own = change.shards.filter(({ shard }) => shards.has(shard));
      return own.length === 0 ? undefined : ({ ...change, shards: own } as Change);
    }
    case 'wipe': {
      const own = change.shards.filter((shard) => shards.has(shard));
      return own.length === 0 || !change.heads ? undefined : { ...change, shards: own };
    }
    case 'rows': {
      const changes = change.changes.flatMap((one) => published(one, shards) ?? []);
      return changes.length === 0 ? undefined : { ...change, changes };
    }
    case 'copy': {
      const rows = change.rows.filter(({ shard }) => shards.has(shard));
      return rows.length === 0 ? undefined : { ...change, rows };
    }
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

/** Why Postgres could not insert this: the row is there; undefined: it could. */
export function clashOf(tables: Tables, change: Change): string | undefined {
  switch (change.kind) {
    case 'decide':
      return tables.tokens.has(`${change.shard}/${change.token}`)
        ? `token ${change.token} of shard ${change.shard} is there`
        : undefined;
    case 'copy': {
      const there = change.rows.find(({ shard }) => tables.heads.has(shard) || hasTokens(tables, shard));
      return there === undefined ? undefined : `shard ${there.shard} has rows`;
    }
    case 'rows':
      return change.changes.map((one) => clashOf(tables, one)).find((why) => why !== undefined);
    case 'adopt':
    case 'seal':
    case 'wipe':
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

const hasTokens = ({ tokens }: Tables, shard: number): boolean =>
  [...tokens.keys()].some((key) => key.startsWith(`${shard}/`));

/** The moving rows that these tables have of a shard; undefined: no head. */
export function rowsOf(tables: Tables, shard: number): ShardRows | undefined {
  const position = tables.heads.get(shard);
  if (position === undefined) return undefined;
  const prefix = `${shard}/`;
  return {
    shard,
    position,
    marker: tables.moves.markers.get(shard) ?? null,
    tokens: [...tables.tokens]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, decision]) => [key.slice(prefix.length), decision] as const),
    lineage: [...tables.lineage].filter(([key]) => key.startsWith(prefix)),
  };
}
