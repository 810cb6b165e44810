/** The tables whose rows move with a shard, as a comparison reads them; `shard_head` is compared by itself. */
export interface MovedTable {
  readonly name: 'issuer_exposure' | 'reservation' | 'reservation_token' | 'outbox' | 'lineage';
  /** After `shard_id`, in the order of the primary key. */
  readonly key: readonly { readonly column: string; readonly type: 'text' | 'bigint' | 'integer' }[];
  /** The position of a row's last change; a row beyond the position that is compared counts as later. */
  readonly position: string;
  /** All others. */
  readonly columns: readonly string[];
}

const issuer = { column: 'issuer_id', type: 'text' } as const;
const token = { column: 'reservation_token', type: 'text' } as const;
const reservation = { column: 'reservation_id', type: 'text' } as const;

const EXPOSURE: MovedTable = {
  name: 'issuer_exposure',
  key: [issuer],
  position: 'position',
  columns: ['limit_cents', 'reserved_cents', 'open_count', 'position'],
};

const RESERVATION: MovedTable = {
  name: 'reservation',
  key: [issuer, reservation],
  position: 'position',
  columns: [
    'desk',
    'notional_cents',
    'status',
    'reservation_token',
    'decided_position',
    'position',
    'decided_at',
  ],
};

const TOKEN: MovedTable = {
  name: 'reservation_token',
  key: [issuer, token],
  position: 'position',
  columns: [
    'command',
    'desk',
    'body_hash',
    'outcome',
    'reason',
    'reservation_id',
    'amount_cents',
    'reserved_after',
    'limit_after',
    'position',
    'generation',
    'term',
    'decided_at',
  ],
};

const OUTBOX: MovedTable = {
  name: 'outbox',
  key: [{ column: 'position', type: 'bigint' }],
  position: 'position',
  columns: [
    'generation',
    'term',
    'event',
    'issuer_id',
    'desk',
    'reservation_token',
    'reservation_id',
    'amount_cents',
    'reserved_after',
    'limit_after',
    'reason',
    'decided_at',
  ],
};

const LINEAGE: MovedTable = {
  name: 'lineage',
  key: [
    { column: 'generation', type: 'integer' },
    { column: 'term', type: 'integer' },
  ],
  position: 'first_position',
  columns: ['first_position', 'cluster', 'reason', 'began_at'],
};

/** In the order in which they are compared. */
export const MOVED_TABLES: readonly MovedTable[] = [EXPOSURE, RESERVATION, TOKEN, OUTBOX, LINEAGE];

/** A key's columns, to order by or to compare as a row. */
export const keyColumns = ({ key }: MovedTable): string => key.map(({ column }) => column).join(', ');

/** A key as an array of texts. */
export const keyTexts = ({ key }: MovedTable): string =>
  `array[${key.map(({ column }) => `${column}::text`).join(', ')}]`;

/** The parameters of a key, from `$first` on. */
export const keyParameters = ({ key }: MovedTable, first: number): string =>
  key.map(({ type }, index) => `$${first + index}::${type}`).join(', ');

/** A row's 64-bit hash; sums of them tell sets of rows apart. */
export const rowHash = (table: MovedTable, alias = ''): string =>
  `hashtextextended(row(${[...table.key.map(({ column }) => column), ...table.columns].map((column) => alias + column).join(', ')})::text, 0)`;

/** A key range of one shard: after one key (null: from the start) up to another (null: to the end). */
export interface KeyRange {
  readonly shard: number;
  readonly after: readonly string[] | null;
  readonly upTo: readonly string[] | null;
}

/** The condition of a range and its parameters, which begin at `$1` with the shard. */
export function rangeCondition(
  table: MovedTable,
  { shard, after, upTo }: KeyRange,
): { readonly where: string; readonly values: readonly unknown[] } {
  const parts = ['shard_id = $1::integer'];
  const values: unknown[] = [shard];
  for (const [operator, bound] of [
    ['>', after],
    ['<=', upTo],
  ] as const) {
    if (bound === null) continue;
    parts.push(`(${keyColumns(table)}) ${operator} (${keyParameters(table, values.length + 1)})`);
    values.push(...bound);
  }
  return { where: parts.join(' and '), values };
}
