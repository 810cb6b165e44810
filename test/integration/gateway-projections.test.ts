import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLogAtLeader } from '../../src/reservations/read-log.ts';
import { GatewayEstate, ISSUER, issuersOf, type GatewayClient } from '../support/gateway-estate.ts';
import { HalfOpenProxy } from '../support/half-open-proxy.ts';
import { SCOPE } from '../support/postgres.ts';
import { runFolder } from '../support/postgres-template.ts';
import { startProjections, type TestProjections } from '../support/projections.ts';

const SHARDS = Array.from({ length: 480 }, (_, shard) => shard);
const [OTHER = ''] = issuersOf(7, 1);

let projections: TestProjections;
let proxy: HalfOpenProxy;
let estate: GatewayEstate;
let gateway: GatewayClient;

beforeAll(async () => {
  projections = await startProjections();
  proxy = await HalfOpenProxy.start(projections.postgres.port);
  const folder = await runFolder('projections-');
  const secret = { file: join(folder, 'password') };
  await writeFile(secret.file, projections.poolOptions('projections_reader').password);
  estate = await GatewayEstate.start({
    projections: {
      database: projections.poolOptions('projections_reader').database,
      address: { default: `127.0.0.1:${proxy.port}` },
      tls: { mode: 'disable' },
      passwords: { projector: secret, projections_reader: secret },
    },
  });
  await estate.put({
    [estate.keys.clusterRecord('c1')]: {
      name: 'c1',
      homeRegion: 'new-york',
      bootstrapMember: 'c1-leader',
      createdAt: new Date().toISOString(),
    },
  });
  gateway = await estate.gateway();
  await gateway.setLimit(ISSUER, '1000.00');
  await gateway.setLimit(OTHER, '100.00');
  for (let i = 0; i < 12; i++) {
    await gateway.reserve({
      reservation_token: `tok-${i}`,
      reservation_id: `res-${String(i).padStart(2, '0')}`,
    });
  }
  await gateway.reserve({ issuer_id: OTHER, notional: '99.00', reservation_token: 'tok-other' });
  await gateway.call('POST', '/reservations/res-03/release', {
    body: { issuer_id: ISSUER, reservation_token: 'rel-3' },
  });
});
afterAll(async () => {
  await estate?.stop();
  await proxy?.stop();
  await projections?.stop();
});

/** What a projector does: the log as the leader shows it, applied. */
async function project(shards = SHARDS): Promise<void> {
  const held = await projections.store.watermarks(shards);
  const client = await estate.leader.connect('operator');
  const asked = shards.map((shard) => ({ shard, generation: 1, after: held.get(shard)?.position ?? '0' }));
  const result = await readLogAtLeader(
    client,
    SCOPE,
    { shards: asked, entriesMax: 5_000 },
    { deadlineMs: 10_000 },
  );
  if (result.kind !== 'read') throw new Error(result.message);
  for (const log of result.logs) {
    await projections.store.apply({ cluster: 'c1', log, asOf: result.at, source: 'p1/c1' });
  }
  if (result.at === null) throw new Error('the leader gave no moment');
  await projections.store.mark({
    source: 'p1/c1',
    cluster: 'c1',
    member: 'c1-leader',
    asOf: result.at,
    shards,
  });
}

describe('before any projector has run', () => {
  it('staleness is unknown and within no budget; nothing is found', async () => {
    const risk = await gateway.call('GET', '/risk/exposure', { key: estate.operatorKey });
    expect(risk.status).toBe(200);
    expect(risk.headers.get('capstan-staleness-ms')).toBe('unknown');
    expect(risk.headers.get('capstan-within-budget')).toBe('false');
    expect(risk.body.total).toMatchObject({ reserved: '0.00', issuers: 0 });
  });
});

describe('what the projections answer through a gateway', () => {
  beforeAll(() => project());

  it('the dashboard has the exposure, pages of what is open, and the watermark as a commit token', async () => {
    // Just now: the budget is two seconds, and all shards took their time.
    await project([184]);
    const first = await gateway.call('GET', `/dashboard/issuers/${ISSUER}?limit=8`);
    expect(first.status).toBe(200);
    expect(first.headers.get('capstan-watermark')).toBe('shard184@14~1.1');
    expect(first.headers.get('capstan-within-budget')).toBe('true');
    expect(first.body).toMatchObject({
      issuer_id: ISSUER,
      shard: 184,
      position: '14',
      limit: '1000.00',
      reserved: '110.00',
      open_count: 11,
      utilisation: 0.11,
    });
    expect(first.body.recent[0]).toMatchObject({ event: 'released', reservation_token: 'rel-3' });
    await gateway.reserve({ reservation_token: 'tok-late', reservation_id: 'res-99' });
    await project([184]);
    const page = encodeURIComponent(first.body.next_page);
    const second = await gateway.call('GET', `/dashboard/issuers/${ISSUER}?limit=8&page=${page}`);
    const ids = [...first.body.open, ...second.body.open].map(
      (row: { reservation_id: string }) => row.reservation_id,
    );
    expect(ids).toEqual(
      ['00', '01', '02', '04', '05', '06', '07', '08', '09', '10', '11'].map((n) => `res-${n}`),
    );
    expect(second.body).toMatchObject({ position: '14', reserved: '110.00', next_page: null });
  });

  it('compliance finds across issuers; a desk may not, and a wrong field is named', async () => {
    const key = estate.operatorKey;
    const found = await gateway.call('GET', '/compliance/search?q=tok-other', { key });
    expect(found.body.found[0]).toMatchObject({
      match: 'id',
      issuer_id: OTHER,
      status: 'open',
      amount: '99.00',
    });
    expect(found.body.freshness.shards).toHaveLength(480);
    const range = await gateway.call('GET', '/compliance/search?amount_min=50&status=open', { key });
    expect(range.body.found.map((row: { issuer_id: string }) => row.issuer_id)).toEqual([OTHER]);
    expect((await gateway.call('GET', '/compliance/search?q=x')).body).toMatchObject({ code: 'forbidden' });
    const wrong = await gateway.call('GET', '/compliance/search?page=nonsense', { key });
    expect(wrong.body).toMatchObject({ code: 'field_invalid', field: 'page' });
  });

  it('authoritative: the leaders show what no projector has seen yet, and who was not asked is named', async () => {
    const key = estate.operatorKey;
    await gateway.reserve({ reservation_token: 'tok-unseen', reservation_id: 'res-unseen' });
    const behind = await gateway.call('GET', '/compliance/search?q=tok-unseen', { key });
    expect(behind.body.found.map((row: { match: string }) => row.match)).not.toContain('id');
    const asked = await gateway.call('GET', '/compliance/search?q=tok-unseen&authoritative=true', { key });
    expect(asked.body.found).toMatchObject([
      { match: 'authority', reservation_id: 'res-unseen', status: 'open' },
    ]);
    expect(asked.body.authorities).toMatchObject({
      complete: true,
      asked: [{ cluster: 'c1', shards: 480 }],
      not_asked: [],
    });
    await estate.putCluster({ leader: null, phase: 'failover' } as never);
    const silent = await gateway.call('GET', '/compliance/search?q=tok-unseen&authoritative=true', { key });
    expect(silent.headers.get('capstan-within-budget')).toBe('false');
    expect(silent.body.authorities.complete).toBe(false);
    expect(silent.body.authorities.not_asked[0].shards).toHaveLength(480);
    await estate.putCluster();
  });

  it('risk sums the exposure by region, shard, desk and utilisation', async () => {
    await project();
    const { body } = await gateway.call('GET', '/risk/exposure', { key: estate.operatorKey });
    expect(body.total).toMatchObject({ reserved: '229.00', issuers: 2 });
    expect(body.regions).toMatchObject([{ region: 'new-york', reserved: '229.00' }]);
    expect(body.desks).toMatchObject([{ desk: 'madrid-1', reserved: '229.00', open_count: 14 }]);
    expect(body.utilisation.at(-2)).toMatchObject({ band: '90-100%', issuers: 1, reserved: '99.00' });
  });

  it('a projections database that hangs is a 503 in time, and decisions go on meanwhile', async () => {
    void proxy.cutReplyTo(/begin isolation/, { vanish: true });
    expect((await gateway.call('GET', `/dashboard/issuers/${ISSUER}`)).body).toMatchObject({
      code: 'projections_unreachable',
    });
    const started = performance.now();
    const [dashboard, decided] = await Promise.all([
      gateway.call('GET', `/dashboard/issuers/${ISSUER}`),
      gateway.reserve({ reservation_token: 'tok-meanwhile' }),
    ]);
    expect(decided.status).toBe(201);
    expect(dashboard.status).toBe(503);
    expect(dashboard.body).toMatchObject({ code: 'projections_unreachable' });
    expect(dashboard.headers.get('retry-after')).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(8_000);
  });
});
