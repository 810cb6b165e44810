/** What the renderers print for people. Commands describe, `render/table.ts` lays out. */
export type Section = TableSection | FactsSection | TextSection;

export interface Column<Row> {
  readonly header: string;
  readonly value: (row: Row) => string | number | bigint | null | undefined;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
  readonly align?: 'left' | 'right';
  /** Gives way first where the terminal is narrow. */
  readonly shrink?: boolean;
}

export interface TableSection {
  readonly kind: 'table';
  readonly title: string | undefined;
  readonly columns: readonly Omit<Column<never>, 'value'>[];
  readonly rows: readonly (readonly string[])[];
  /** Said instead of a table without rows. */
  readonly empty: string;
}

export interface FactsSection {
  readonly kind: 'facts';
  readonly title: string | undefined;
  readonly facts: readonly (readonly [label: string, value: string])[];
}

export interface TextSection {
  readonly kind: 'text';
  readonly text: string;
}

type Cell = string | number | bigint | boolean | null | undefined;

const cell = (value: Cell): string =>
  value === null || value === undefined || value === '' ? '-' : String(value);

/** A table; unknown values show as `-`, never as zero. */
export function table<Row>(options: {
  readonly title?: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly empty?: string;
}): TableSection {
  return {
    kind: 'table',
    title: options.title,
    columns: options.columns.map(({ value: _value, ...column }) => column),
    rows: options.rows.map((row) => options.columns.map((column) => cell(column.value(row)))),
    empty: options.empty ?? 'none',
  };
}

/** Labelled values, one a line. */
export function facts(
  entries: readonly (readonly [label: string, value: Cell])[],
  title?: string,
): FactsSection {
  return { kind: 'facts', title, facts: entries.map(([label, value]) => [label, cell(value)]) };
}

/** Prose, or text that another tool wrote. */
export const text = (content: string): TextSection => ({ kind: 'text', text: content });
