/** Streams of a rebalance with what both clusters are and say, made by hand for whoever judges them. */
import { parseContract } from '../../src/config/contract.ts';
import { type ClusterView, emptyClusterView } from '../../src/controlplane/cluster-view.ts';
import type { OtherSays, OwnerSays, StreamView } from '../../src/controlplane/rebalance/stream-view.ts';
import type { Versioned } from '../../src/controlplane/store.ts';
import { type MoveRecord, otherOf } from '../../src/domain/move-records.ts';
import { claimOf, CONTRACT, heartbeatOf } from './scripted-estate.ts';

export const NOW_MS = Date.parse('2026-11-30T12:00:00.000Z');
export const AT = new Date(NOW_MS).toISOString();
export const contract = parseContract(CONTRACT, 'test');

const held = <T>(value: T): Versioned<T> => ({ value, revision: '7' });

export const move = (over: Partial<MoveRecord> = {}): MoveRecord => ({
  operation: 'rebalance-1',
  stream: 0,
  shards: [0, 1],
  from: 'c1',
  to: 'c2',
  owner: 'c1',
  phase: 'follow',
  attempt: 1,
  leg: 0,
  terms: { c1: 3, c2: 3 },
  paused: false,
  cursor: null,
  verification: { positions: { '0': '5', '1': '5' }, rows: '10', laterRows: '0', at: AT },
  differences: [],
  seal: null,
  handover: null,
  error: null,
  since: AT,
  updatedAt: AT,
  ...over,
});

/** An open cluster that is well. */
export function clusterOf(
  name: string,
  { term = 3, ...over }: Partial<ClusterView> & { term?: number } = {},
) {
  const leader = `${name}-a`;
  return {
    ...emptyClusterView(name),
    authority: held({ term, leader, phase: 'open', operation: null, prefix: null, since: AT } as const),
    membership: held({
      epoch: 1,
      members: {
        [leader]: { region: 'new-york', role: 'voter' },
        [`${name}-c`]: { region: 'madrid', role: 'observer' },
      } as const,
    }),
    inSync: held({
      term,
      epoch: 1,
      voters: [{ member: `${name}-b`, incarnation: 'i' }],
      required: 1,
      degraded: false,
      since: AT,
    }),
    lease: held({ term, leader, grantId: 'g', sequence: 1, ttlMs: 3_000, renewedAt: AT }),
    claim: held({ ...claimOf(term), validUntil: new Date(NOW_MS + 60_000).toISOString() }),
    heartbeats: new Map([[leader, held({ ...heartbeatOf(name, leader, term), at: AT })]]),
    ...over,
  };
}

/** The same cluster with something else in one of its records. */
export function clusterWith<K extends 'authority' | 'inSync' | 'claim'>(
  name: string,
  key: K,
  over: Partial<NonNullable<ClusterView[K]>['value']>,
): ClusterView {
  const cluster = clusterOf(name);
  return { ...cluster, [key]: held({ ...cluster[key]?.value, ...over }) };
}

/** A stream that follows, nothing missing, unless something else is said. */
export function viewOf(
  record: MoveRecord,
  over: {
    readonly owner?: ClusterView;
    readonly other?: ClusterView;
    readonly ownerSays?: Partial<OwnerSays['value']> | null;
    readonly otherSays?: Partial<OtherSays['value']> | null;
  } = {},
): StreamView {
  const about = (cluster: string) => ({
    operation: record.operation,
    stream: record.stream,
    cluster,
    member: `${cluster}-a`,
    term: 3,
    attempt: record.attempt,
    leg: record.leg,
    phase: record.phase,
    clean: false,
    problem: null,
    at: AT,
  });
  const owner: OwnerSays['value'] = {
    ...about(record.owner),
    role: 'owner',
    slot: 'active',
    retainedWalBytes: '1000',
    walBytesPerSecond: 50,
    diskFreeBytes: '500000',
    commitMs: 2,
    sealed: null,
    turned: false,
    ...over.ownerSays,
  };
  const other: OtherSays['value'] = {
    ...about(otherOf(record)),
    role: 'other',
    wiped: true,
    tables: { total: 3, ready: 3 },
    rowsCopied: '10',
    bytesCopied: '1000',
    lagBytes: '0',
    lagPositions: '0',
    following: true,
    yielding: null,
    wayBack: { slot: 'made', waitingFor: null },
    arrived: null,
    ...over.otherSays,
  };
  return {
    move: held(record),
    owner: over.owner ?? clusterOf(record.owner),
    other: over.other ?? clusterOf(otherOf(record)),
    ownerSays: over.ownerSays === null ? undefined : held(owner),
    otherSays: over.otherSays === null ? undefined : held(other),
  };
}
