import { describe, expect, it } from 'vitest';
import { emptyClusterView } from '../../../src/controlplane/cluster-view.ts';
import type { EstateView } from '../../../src/controlplane/estate-snapshot.ts';
import type { Contract, RpoAction } from '../../../src/domain/contract.ts';
import type { ClaimRecord } from '../../../src/domain/records.ts';
import type { LeaseObserver } from '../../../src/gateway/lease-observer.ts';
import { readinessOf } from '../../../src/gateway/readiness.ts';
import { headersOfRoute } from '../../../src/gateway/reply-headers.ts';
import { RouteTable } from '../../../src/gateway/route-table.ts';

const versioned = <T>(value: T) => ({ value, revision: '1' });
const leases = { renewedRecently: () => true } as unknown as LeaseObserver;
const soon = () => new Date(Date.now() + 60_000).toISOString();

/** The routes of an estate with one cluster that owns shard 0, under this action and this claim. */
function routesWith(action: RpoAction, claim: Partial<ClaimRecord> | undefined, observers = 1) {
  const rpo = { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action };
  const rated = action === 'throttle' ? { ...rpo, throttle: { decisionsPerSecond: 9 } } : rpo;
  const contract = { rpo: rated, liveness: { heartbeatTtlMs: 5_000 } } as unknown as Contract;
  const authority = {
    term: 3,
    leader: 'a',
    phase: 'open' as const,
    operation: null,
    prefix: null,
    since: '',
  };
  const record: ClaimRecord = {
    term: 3,
    status: 'advertised',
    reason: null,
    budgetMs: 5_000,
    lagMs: 100,
    validUntil: soon(),
    action,
    decisionsPerSecond: action === 'throttle' ? 9 : null,
    changedAt: '2026-01-01T00:00:00.000Z',
    changedBecause: 'the remote follower is near',
    at: new Date().toISOString(),
    ...claim,
  };
  const role = observers > 0 ? ('observer' as const) : ('voter' as const);
  const shard = { shard: 0, cluster: 'c1', generation: 1, state: 'serving' as const, mapVersion: 1 };
  const view = {
    estate: versioned({ shardCount: 1 }),
    contract: versioned(contract),
    shards: new Map([[0, versioned(shard)]]),
    clusters: new Map([
      [
        'c1',
        {
          ...emptyClusterView('c1'),
          authority: versioned(authority),
          membership: versioned({ epoch: 1, members: { c: { region: 'madrid', role } } }),
          claim: claim === undefined ? undefined : versioned(record),
        },
      ],
    ]),
  } as unknown as EstateView;
  const routes = new RouteTable({ current: () => view, onChange: () => () => undefined });
  const ready = readinessOf({ routes, leases, contract, staleForMs: 10, cluster: 'c1' });
  return { routes, ready, of: ready?.clusters[0] };
}

const withdrawn = { status: 'withdrawn' as const, reason: 'behind', validUntil: null, lagMs: 3_100 };

const kept = (claim: Partial<ClaimRecord> | undefined) => routesWith('degrade', claim).of?.promises.rpo.kept;
const header = (action: RpoAction, claim: Partial<ClaimRecord> | undefined, observers = 1) =>
  headersOfRoute(routesWith(action, claim, observers).routes, 0)['capstan-rpo-action'];
const pace = (action: RpoAction, claim: Partial<ClaimRecord> | undefined, observers = 1) =>
  routesWith(action, claim, observers).routes.paceOf('c1');

describe('the RPO gate in a gateway', () => {
  it('is not ready for decisions while it refuses them, and ready under the other actions', () => {
    for (const action of ['degrade', 'throttle'] as const)
      expect(routesWith(action, withdrawn).ready?.ready).toBe(true);
    const closed = routesWith('close', withdrawn);
    expect(closed.ready).toMatchObject({ ready: false, reason: expect.stringContaining('behind') as string });
    expect(routesWith('close', {}).ready?.ready).toBe(true);
  });

  it('keeps the promise rpo only while the claim is proved under this term', () => {
    expect(kept({})).toBe(true);
    for (const claim of [withdrawn, { term: 2 }, { validUntil: '2026-01-01T00:00:00Z' }, undefined])
      expect(kept(claim)).toBe(false);
  });

  it('says lag, claim and action, and never zero for unknown', () => {
    expect(routesWith('close', withdrawn).of?.rpo).toMatchObject({
      claim: 'withdrawn',
      action: 'close',
      acts: true,
      budget_ms: 5_000,
    });
    expect(routesWith('degrade', undefined).of?.rpo).toMatchObject({
      claim: 'unknown',
      lag_ms: null,
      acts: true,
    });
    expect(routesWith('degrade', undefined, 0).of?.rpo).toMatchObject({ claim: 'none', acts: false });
  });

  it('shows the action in the headers only while it is taken', () => {
    for (const action of ['throttle', 'close', 'degrade'] as const) {
      expect(header(action, withdrawn)).toBe(action);
      expect(header(action, undefined)).toBe(action);
      expect(header(action, {})).toBe('none');
      expect(header(action, withdrawn, 0)).toBe('none');
    }
  });

  it('paces only under `throttle`, unless the claim is proved', () => {
    expect(pace('throttle', withdrawn)).toBe(9);
    expect(pace('throttle', { ...withdrawn, decisionsPerSecond: 4 })).toBe(4);
    expect(pace('throttle', { term: 2, decisionsPerSecond: 4 })).toBe(9);
    expect(pace('throttle', undefined)).toBe(9);
    expect(pace('throttle', {})).toBeUndefined();
    expect(pace('throttle', withdrawn, 0)).toBeUndefined();
    expect(pace('close', withdrawn)).toBeUndefined();
    expect(pace('degrade', undefined)).toBeUndefined();
  });
});
