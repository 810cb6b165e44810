/** Statements that the agents' integration tests share. */
import type { Client } from 'pg';
import { FenceState } from '../../src/domain/sqlstate.ts';
import { sqlStateOf } from '../../src/postgres/connection.ts';
import { CLUSTER, type TestEstate } from './agents.ts';

const SHARD = 0;
let tokens = 0;

/** One decision over a connection that the test holds: the SQLSTATE of the refusal, or `decided`. */
export async function decideOnce(client: Client, term: number, epoch = 1): Promise<string> {
  tokens += 1;
  const command = {
    kind: 'set-limit',
    issuer: 'MUNI-1',
    token: `tok-${process.pid}-${tokens}`,
    desk: 'ops',
    hash: 'ab'.repeat(32),
    limit: '100',
  };
  const text = `select capstan.decide('${CLUSTER}', ${epoch}, ${SHARD}, 1, ${term}, '${JSON.stringify([command])}'::jsonb)`;
  try {
    await client.query(text);
    return 'decided';
  } catch (error) {
    return sqlStateOf(error) ?? 'broken';
  }
}

export const LAPSED = FenceState.leaseLapsed;

/** What a fenced leader may answer: never `decided`. */
export const REFUSALS: readonly string[] = [
  ...Object.values(FenceState),
  'broken',
  '57P01',
  '57P02',
  '57P03',
];

export async function headPosition(world: TestEstate, member: string): Promise<string> {
  const client = await world.connect(member);
  const { rows } = await client.query<{ position: string }>(
    'select position::text from capstan.shard_head where shard_id = $1',
    [SHARD],
  );
  return rows[0]?.position ?? 'none';
}
