/** Open clusters in etcd without a Postgres behind them: well, in sync, with a proved claim. */
import { parseContract } from '../../src/config/contract.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { HeartbeatRecord } from '../../src/domain/agent-reports.ts';
import type {
  AuthorityRecord,
  ClaimRecord,
  InSyncRecord,
  LeaseRecord,
  MembershipRecord,
  ShardRecord,
} from '../../src/domain/records.ts';
import type { EtcdPort, Write } from '../../src/etcd/port.ts';

export const CONTRACT = `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: 3s, promote: 3s, open: 3s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 250ms, heartbeatTtl: 600s, clockSkewMax: 500ms}
`;

let estates = 0;

export class ScriptedEstate {
  readonly keys: Keys;
  /** Where the shards stand: what has arrived is what was sent. */
  readonly heads = new Map<string, string>();
  protected readonly etcd: EtcdPort;

  constructor(etcd: EtcdPort) {
    estates += 1;
    this.keys = new Keys(`moves-${estates}`);
    this.etcd = etcd;
  }

  /** Open clusters, each with the first member leading under term 3; the first one serves all shards. */
  async seed({ shards = 4, clusters = ['c1', 'c2'] }: { shards?: number; clusters?: string[] } = {}) {
    const { keys } = this;
    const at = new Date().toISOString();
    const contract = parseContract(CONTRACT, 'test');
    const [first = 'c1'] = clusters;
    const estate = { name: keys.name, incarnation: 'i', shardCount: shards, createdAt: at };
    await this.put(
      [keys.estate, estate],
      [keys.contract, contract],
      [keys.map, { version: 1, updatedAt: at }],
    );
    for (let from = 0; from < shards; from += 100) {
      const some = Array.from({ length: Math.min(100, shards - from) }, (_, index) => from + index);
      await this.put(
        ...some.map((shard): [string, unknown] => {
          this.heads.set(`${shard}`, '100');
          return [
            keys.shard(shard),
            { shard, cluster: first, generation: 1, state: 'serving', mapVersion: 1 } satisfies ShardRecord,
          ];
        }),
      );
    }
    for (const cluster of clusters) {
      await this.put([
        keys.membership(cluster),
        {
          epoch: 1,
          members: {
            [`${cluster}-a`]: { region: 'new-york', role: 'voter' },
            [`${cluster}-b`]: { region: 'new-york', role: 'voter' },
            [`${cluster}-c`]: { region: 'madrid', role: 'observer' },
          },
        } satisfies MembershipRecord,
      ]);
      await this.lead(cluster, `${cluster}-a`, 3);
    }
  }

  /** That member leads under that term, well and in sync, and its claim is proved. */
  async lead(cluster: string, leader: string, term: number): Promise<void> {
    const { keys } = this;
    const at = new Date().toISOString();
    const voter = [`${cluster}-a`, `${cluster}-b`].find((member) => member !== leader);
    const inSync: InSyncRecord = {
      term,
      epoch: 1,
      voters: [{ member: voter ?? '', incarnation: `${voter}-1` }],
      required: 1,
      degraded: false,
      since: at,
    };
    const lease: LeaseRecord = {
      term,
      leader,
      grantId: `${leader}-${term}`,
      sequence: 1,
      ttlMs: 600_000,
      renewedAt: at,
    };
    const authority: AuthorityRecord = {
      term,
      leader,
      phase: 'open',
      operation: null,
      prefix: null,
      since: at,
    };
    await this.put(
      [keys.inSync(cluster), inSync],
      [keys.lease(cluster), lease],
      [keys.heartbeat(cluster, leader), heartbeatOf(cluster, leader, term)],
      [keys.claim(cluster), claimOf(term)],
      [keys.authority(cluster), authority],
    );
  }

  /** The RPO gate of a cluster is on from now on, or off. */
  async gate(cluster: string, on: boolean, term = 3): Promise<void> {
    const claim = claimOf(term);
    await this.put([
      this.keys.claim(cluster),
      on ? { ...claim, status: 'withdrawn', reason: 'the test says so', validUntil: null } : claim,
    ]);
  }

  async put(...entries: readonly (readonly [string, unknown])[]): Promise<void> {
    const writes = entries.map(([key, value]): Write => ({ kind: 'put', key, value: JSON.stringify(value) }));
    await this.etcd.transact([], writes);
  }
}

export const claimOf = (term: number): ClaimRecord => ({
  term,
  status: 'advertised',
  reason: null,
  budgetMs: 5_000,
  lagMs: 20,
  validUntil: new Date(Date.now() + 600_000).toISOString(),
  action: 'degrade',
  decisionsPerSecond: null,
  changedAt: new Date().toISOString(),
  changedBecause: 'the test says so',
  at: new Date().toISOString(),
});

export const heartbeatOf = (cluster: string, member: string, term: number): HeartbeatRecord => ({
  member,
  cluster,
  region: 'new-york',
  incarnation: `${member}-1`,
  state: 'leading',
  reason: null,
  term,
  epoch: 1,
  timeline: 1,
  postgresUp: true,
  writable: true,
  receivedLsn: '0/5000000',
  replayedLsn: '0/5000000',
  flushedLsn: '0/5000000',
  leaseLeftMs: 2_000,
  synchronousStandbyNames: null,
  followers: [],
  version: 'test',
  at: new Date().toISOString(),
});
