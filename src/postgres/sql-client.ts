import type { QueryResultRow } from 'pg';

interface Rows<R> {
  readonly rows: R[];
}

/** What a statement needs of a connection; pg's clients are one. */
export interface SqlClient {
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<Rows<R>>;
}
