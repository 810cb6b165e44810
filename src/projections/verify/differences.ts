export type ProjectionTable = 'watermark' | 'decision' | 'issuer' | 'open_reservation' | 'desk_exposure';
/** Of the row in the projections, held against the fold of the log. */
export type DifferenceKind = 'missing' | 'extra' | 'differs';

export interface Difference {
  readonly table: ProjectionTable;
  readonly shard: number;
  /** The row's key within its shard: a position, an issuer, `issuer/reservation`, a desk; of the watermark empty. */
  readonly key: string;
  readonly kind: DifferenceKind;
  /** Of one that differs, the columns that do. */
  readonly columns: readonly {
    readonly column: string;
    readonly log: string | null;
    readonly projection: string | null;
  }[];
}

type Row = Readonly<Record<string, string | number | null>>;

/** Counts what differs and keeps the first of it: a projection that is all wrong must not fill the memory. */
export class Differences {
  readonly #shard: number;
  readonly #max: number;
  readonly #first: Difference[] = [];
  #count = 0;

  constructor(shard: number, max: number) {
    this.#shard = shard;
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  get first(): readonly Difference[] {
    return this.#first;
  }

  /** Compares the expected row's columns with the found row's; either may not be there. */
  compare(
    table: ProjectionTable,
    key: string,
    expected: object | undefined,
    found: object | undefined,
  ): void {
    if (expected === undefined && found === undefined) return;
    if (expected === undefined || found === undefined) {
      this.#add(table, key, expected === undefined ? 'extra' : 'missing', []);
      return;
    }
    const columns = Object.entries(expected as Row).flatMap(([column, value]) => {
      const log = textOf(value);
      const projection = textOf((found as Row)[column]);
      return log === projection ? [] : [{ column, log, projection }];
    });
    if (columns.length > 0) this.#add(table, key, 'differs', columns);
  }

  #add(table: ProjectionTable, key: string, kind: DifferenceKind, columns: Difference['columns']): void {
    this.#count += 1;
    if (this.#first.length < this.#max) {
      this.#first.push({ table, shard: this.#shard, key, kind, columns });
    }
  }
}

const textOf = (value: string | number | null | undefined): string | null =>
  value === null || value === undefined ? null : String(value);
