import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyHash } from '../../src/reservations/hash.ts';
import type { LossRecord } from '../../src/domain/loss-records.ts';
import { type GatewayClient, GatewayEstate, ISSUER } from '../support/gateway-estate.ts';
import { lossRecord, lostDecision } from '../support/losses.ts';
import { waitUntil } from '../support/postgres.ts';

const SHARD = 184;
const OPERATION = 'failover-1';

let estate: GatewayEstate;
let gateway: GatewayClient;

beforeAll(async () => {
  estate = await GatewayEstate.start();
  gateway = await estate.gateway();
  await gateway.setLimit(ISSUER, '1000.00');
});
afterAll(() => estate.stop());

const put = (change: Partial<LossRecord> = {}) =>
  estate.put({
    [estate.keys.loss('c1', OPERATION)]: lossRecord({ positions: { [SHARD]: '7' }, members: {}, ...change }),
  });

const entry = lostDecision({
  shard: SHARD,
  position: '9',
  issuer: ISSUER,
  token: 'lost-1',
  desk: 'madrid-1',
  amount: '1000',
  maybeAcknowledged: true,
  hash: bodyHash({
    issuer: ISSUER,
    desk: 'madrid-1',
    body: { kind: 'reserve', notional: 1000n, reservation: null },
  }),
});
const LOST = {
  operation: OPERATION,
  commit_token: 'shard184@9~1.1',
  outcome: 'confirmed',
  maybe_acknowledged: true,
};

/** One loss, from before it is signed off to after a retry. */
describe('a token that a failover may have lost', () => {
  it('is not found where no failover lost anything', async () => {
    expect((await gateway.token('lost-1')).body).toMatchObject({ code: 'token_not_found' });
  });

  it('is unknown before the sign-off, names the failover, and can not be settled', async () => {
    await put();
    const seen = async () => (await gateway.token('lost-1')).body.code === 'outcome_unknown';
    await waitUntil('the gateway has seen the loss', seen, 10_000);
    for (const reply of [await gateway.token('lost-1'), await gateway.settle('lost-1')]) {
      expect(reply.status).toBe(503);
      expect(reply.body.detail).toContain(OPERATION);
    }
    // Nothing was written by it.
    const { rows } = await (
      await estate.leader.connect('superuser')
    ).query(`select 1 from capstan.reservation_token where reservation_token = 'lost-1'`);
    expect(rows).toEqual([]);
    expect((await gateway.token('lost-1', null)).body).toMatchObject({ code: 'outcome_unknown' });
  });

  it('still answers with its outcome when it is known', async () => {
    expect((await gateway.reserve({ reservation_token: 'kept-1' })).status).toBe(201);
    expect((await gateway.token('kept-1')).body).toMatchObject({ status: 'confirmed', lost: null });
  });

  it('is lost after it, with what it was; every other token is absent as ever', async () => {
    await estate.put({ [`${estate.keys.reportChunks(OPERATION)}000000`]: { entries: [entry] } });
    await put({ status: 'signed-off', lost: 1 });
    const seen = async () => (await gateway.token('lost-1')).status === 200;
    await waitUntil('the gateway has seen the sign-off', seen, 10_000);
    for (const reply of [
      await gateway.token('lost-1'),
      await gateway.token('lost-1', null),
      await gateway.settle('lost-1'),
    ]) {
      expect(reply.body).toMatchObject({ status: 'lost', issuer_id: ISSUER, lost: LOST });
    }
    expect((await gateway.token('never-sent')).body).toMatchObject({ code: 'token_not_found' });
    expect((await gateway.settle('never-sent')).body).toMatchObject({ status: 'abandoned' });
  });

  it('sent again is a new decision that says so, and so does each replay of it', async () => {
    const first = await gateway.reserve({ reservation_token: 'lost-1' });
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ status: 'confirmed', replayed: false, lost_before: LOST });
    expect(first.headers.get('capstan-lost-before')).toBe(OPERATION);
    const again = await gateway.reserve({ reservation_token: 'lost-1' });
    expect(again.text).toBe(first.text.replace('"replayed":false', '"replayed":true'));
    const other = await gateway.reserve({ reservation_token: 'other-1' });
    expect(other.body.lost_before).toBeUndefined();
    expect(other.headers.get('capstan-lost-before')).toBeNull();
    expect((await gateway.token('lost-1')).body).toMatchObject({ status: 'confirmed', lost: null });
  });
});
