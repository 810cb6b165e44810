import { afterAll, beforeAll, expect, test } from 'vitest';
import type {
  ProjectionListData,
  ProjectionShowData,
  ProjectionVerifyData,
} from '../../src/cli/schemas/projection.ts';
import { waitUntil } from '../support/postgres.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const LONG_MS = 180_000;
const WAIT_MS = 90_000;
/** Of MUNI-77. */
const SHARD = 184;
const PROJECTORS = ['projector-new-york', 'projector-madrid'] as const;

let sandbox: TestSandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
}, LONG_MS);
afterAll(() => sandbox.down(), LONG_MS);

async function list(): Promise<ProjectionListData> {
  const { result } = await sandbox.capstan<ProjectionListData>(['projection', 'list']);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.data;
}

const show = async (): Promise<ProjectionShowData> =>
  (await sandbox.capstan<ProjectionShowData>(['projection', 'show', String(SHARD)])).result.data;

async function reserve(token: string): Promise<bigint> {
  const { environment } = sandbox;
  const response = await fetch(`${environment.gateways[0]?.url}/reservations`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${environment.keys['desk-new-york']}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ issuer_id: 'MUNI-77', notional: '1.00', reservation_token: token }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  const position = /shard184@(\d+)/.exec(text)?.[1];
  if (position === undefined) throw new Error(`${response.status} ${text}`);
  return BigInt(position);
}

async function queryable(position: bigint): Promise<bigint> {
  const stands = async () => BigInt((await show()).position) >= position;
  await waitUntil(`shard ${SHARD} stands at ${position}`, stands, WAIT_MS);
  return BigInt((await show()).position);
}

const within = (what: string, wanted: boolean) =>
  waitUntil(what, async () => (await list()).withinBudget === wanted, WAIT_MS);

test(
  'decisions become queryable, and idle shards stay fresh',
  async () => {
    await queryable(await reserve('projected'));
    await within('all shards are fresh, those without a decision too', true);
    const before = await list();
    expect(before.clusters.map(({ shards, states }) => states.live === shards)).toEqual([true, true]);
    expect(before.projectors.filter(({ alive }) => alive)).toHaveLength(2);
    await waitUntil(
      'they are as of later',
      async () => ((await list()).asOf ?? '') > (before.asOf ?? ''),
      WAIT_MS,
    );
    const { status, result } = await sandbox.capstan<ProjectionVerifyData>([
      'projection',
      'verify',
      '--shard',
      '180-190',
    ]);
    expect({ status, equal: result.data.equal }).toEqual({ status: 0, equal: true });
  },
  LONG_MS,
);

test(
  'a projector that is killed has its shards taken over by the other one',
  async () => {
    const holder = `projector-${(await show()).projector}`;
    await sandbox.capstan(['sandbox', 'kill', holder]);
    const position = await reserve('taken-over');
    expect(await queryable(position)).toBe(position);
    await waitUntil(
      'one has all shards',
      async () => {
        const { projectors } = await list();
        return projectors.some(({ alive, shards }) => alive && shards === 480);
      },
      WAIT_MS,
    );
    await within('all shards are fresh again', true);
    await sandbox.capstan(['sandbox', 'start', holder]);
    await waitUntil(
      'both live again',
      async () => (await list()).projectors.every(({ alive }) => alive),
      WAIT_MS,
    );
  },
  LONG_MS,
);

test(
  'with no projector staleness grows and the budget is no longer kept; started again, they catch up',
  async () => {
    await Promise.all(PROJECTORS.map((name) => sandbox.capstan(['sandbox', 'kill', name])));
    const position = await reserve('unseen');
    await within('the projections say that they are stale', false);
    const before = await list();
    await waitUntil(
      'staleness grows',
      async () => ((await list()).stalenessMs ?? 0) > (before.stalenessMs ?? 0),
      WAIT_MS,
    );
    await Promise.all(PROJECTORS.map((name) => sandbox.capstan(['sandbox', 'start', name])));
    expect(await queryable(position)).toBe(position);
    await within('they are fresh again', true);
  },
  LONG_MS,
);
