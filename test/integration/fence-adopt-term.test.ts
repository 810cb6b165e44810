import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decide, resolveToken } from '../../src/reservations/client.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import { readAuthority, readClusterState, readHeads, readLineage } from '../../src/reservations/state-sql.ts';
import type { Scope } from '../../src/reservations/types.ts';
import { grantTestLease, SCOPE, startPostgres, TEST_SHARDS, type TestPostgres } from '../support/postgres.ts';
import { brief, decided, ISSUER, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };

let postgres: TestPostgres;
let gateway: Client;
let agent: Client;
let token = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  [gateway, agent] = await Promise.all([postgres.connect('gateway'), postgres.connect('agent')]);
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
});
afterAll(() => postgres.stop());

const freshReserve = () => {
  token += 1;
  return reserve(`t-${token}`, 1n);
};

async function refusedFor(scope: Scope): Promise<string> {
  const result = await decide(gateway, scope, [freshReserve()], DEADLINE);
  return result.kind === 'refused' ? result.reason : result.kind;
}

describe('adopting a term', () => {
  const shards = TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const }));
  const code = (other: object) =>
    adoptTerm(agent, { ...SCOPE, reason: 'test', shards, ...other }).then(
      () => 'adopted',
      (error: unknown) => (error as { code: string }).code,
    );

  it('again changes nothing', async () => {
    expect(await adoptTerm(agent, { ...SCOPE, reason: 'again', shards })).toEqual({
      headsMade: 0,
      authorityChanged: 0,
      moved: 0,
      lineageWritten: 0,
      withheld: 0,
    });
  });

  it('seals, gives away and takes shards; a seal refuses decisions and lets tokens be resolved', async () => {
    const next = [
      { shard: 184, generation: 1, state: 'sealed' as const },
      { shard: 185, generation: 1, state: 'serving' as const },
      { shard: 300, generation: 4, state: 'serving' as const },
    ];
    const adoption = await adoptTerm(agent, { ...SCOPE, reason: 'move', shards: next });
    expect(adoption).toEqual({ headsMade: 1, authorityChanged: 2, moved: 1, lineageWritten: 1, withheld: 0 });
    expect(await refusedFor(SCOPE)).toBe('shardSealed');
    expect(await refusedFor({ ...SCOPE, shard: 183 })).toBe('shardNotOwned');
    const resolved = await resolveToken(gateway, SCOPE, { issuer: ISSUER, token: 'limit' }, DEADLINE);
    expect(resolved).toMatchObject({ kind: 'resolved', status: 'confirmed' });
    const moved = (await readAuthority(agent)).find(({ shard }) => shard === 183);
    expect(moved).toMatchObject({ state: 'moved', generation: 1 });
    const gained = { ...SCOPE, shard: 300, generation: 4 };
    expect(brief(await decided(gateway, gained, setLimit('l', 1n)))).toEqual(['confirmed@1']);
    await adoptTerm(agent, { ...SCOPE, reason: 'back', shards });
  });

  it('writes lineage from the head on, and fences what was decided under the older term', async () => {
    const position = BigInt((await readHeads(agent))['184'] ?? 0);
    await adoptTerm(agent, { ...SCOPE, term: 2, reason: 'failover', shards });
    expect(await refusedFor(SCOPE)).toBe('staleTerm');
    expect(await refusedFor({ ...SCOPE, term: 2 })).toBe('staleTerm');
    await grantTestLease(postgres, { term: 2 });
    expect(brief(await decided(gateway, { ...SCOPE, term: 2 }, freshReserve()))).toEqual([
      `confirmed@${position + 1n}`,
    ]);
    const lineage = await readLineage(agent, 184);
    expect(lineage.map(({ term, firstPosition }) => [term, firstPosition])).toEqual([
      [1, '1'],
      [2, String(position + 1n)],
    ]);
    expect(await readClusterState(agent)).toMatchObject({ cluster: 'c1', epoch: 1, term: 2 });
  });

  it('is refused below what this Postgres has seen', async () => {
    expect(await code({ term: 1 })).toBe('CP001');
    expect(await code({ term: 2, cluster: 'c2' })).toBe('CP009');
    expect(await code({ term: 2, epoch: 3 })).toBe('adopted');
    expect(await code({ term: 2, epoch: 2 })).toBe('CP008');
    expect(await code({ term: 2, epoch: 3, incarnation: 'one' })).toBe('adopted');
    expect(await code({ term: 2, epoch: 3, incarnation: 'other' })).toBe('CP009');
    expect(await code({ term: 2, epoch: 3, shards: [{ shard: 300, generation: 3, state: 'serving' }] })).toBe(
      'CP002',
    );
  });
});
