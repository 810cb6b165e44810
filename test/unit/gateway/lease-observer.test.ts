import { describe, expect, it } from 'vitest';
import type { EstateView } from '../../../src/controlplane/estate-snapshot.ts';
import { LeaseObserver } from '../../../src/gateway/lease-observer.ts';

const view = (revision: string, lease: { term: number }, term = lease.term): EstateView =>
  ({
    clusters: new Map([
      ['c1', { lease: { revision, value: lease }, authority: { revision, value: { term } } }],
    ]),
  }) as unknown as EstateView;

describe('the lease observer', () => {
  it('believes in a renewal only once it sees one, under each term anew', () => {
    const listeners: ((changed: EstateView) => void)[] = [];
    const source = {
      current: () => view('1', { term: 1 }),
      onChange: (listener: (changed: EstateView) => void) => {
        listeners.push(listener);
        return () => undefined;
      },
    };
    const leases = new LeaseObserver(source, { lease: { ttlMs: 60_000, driftMs: 0 } as never });
    const seen = [leases.renewedRecently('c1')];
    for (const next of [
      view('1', { term: 1 }),
      view('2', { term: 1 }),
      view('2', { term: 1 }, 2),
      view('3', { term: 2 }),
      view('4', { term: 2 }),
    ]) {
      for (const tell of listeners) tell(next);
      seen.push(leases.renewedRecently('c1'));
    }
    expect(seen).toEqual([false, false, true, false, false, true]);
  });
});
