import type { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readLeaderFacts } from '../../src/postgres/queries/leader-facts.ts';
import { grantTestLease, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let reader: Client;
let superuser: Client;

beforeAll(async () => {
  postgres = await startPostgres();
  [reader, superuser] = [await postgres.connect('reader'), await postgres.connect('superuser')];
});
afterAll(() => postgres.stop());

/** What is left of a fresh lease of a minute, after one column of its row was changed. */
async function leaseAfter(change: string) {
  await grantTestLease(postgres);
  await superuser.query(`update capstan.lease set ${change}`);
  return (await readLeaderFacts(reader)).lease;
}

it.each([
  ['the wall clock', `expires_at = clock_timestamp() + interval '5 s'`],
  ['the boot clock', 'expires_uptime_ms = capstan.boot_clock_ms() + 5000'],
  ['the RPO bound', `rpo_until = clock_timestamp() + interval '5 s'`],
])('what is left of a lease is bounded by %s', async (_bound, change) => {
  const lease = await leaseAfter(change);
  expect(lease?.begun).toBe(true);
  expect(lease?.leftMs).toBeGreaterThan(0);
  expect(lease?.leftMs).toBeLessThanOrEqual(5_000);
});

it('a lease that a clock has not reached has not begun', async () => {
  expect(await leaseAfter(`granted_at = clock_timestamp() + interval '1 h'`)).toMatchObject({ begun: false });
  expect(await leaseAfter('granted_uptime_ms = capstan.boot_clock_ms() + 3600000')).toMatchObject({
    begun: false,
  });
});
