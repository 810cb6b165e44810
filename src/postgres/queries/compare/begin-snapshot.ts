import type { SqlClient } from '../../sql-client.ts';

/**
 * What a row reads as must not depend on a server's settings, and every look-up goes by key: rows that were just copied have
 * no statistics yet.
 */
const STATEMENT = `
begin isolation level repeatable read read only;
set local timezone = 'UTC';
set local datestyle = 'ISO, MDY';
set local bytea_output = 'hex';
set local enable_seqscan = off;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local jit = off`;

/** Begins a transaction whose one snapshot is taken by the statement after this one. */
export async function beginSnapshot(client: SqlClient): Promise<void> {
  await client.query(STATEMENT);
}
