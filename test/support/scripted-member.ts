/** A cluster that a scripted agent's member rejoins: it writes what a real agent would, as soon as it is asked. */
import { parseContract } from '../../src/config/contract.ts';
import { type ClusterView, readClusterView } from '../../src/controlplane/cluster-view.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { HeartbeatRecord } from '../../src/domain/agent-reports.ts';
import type { MemberRecord, MembershipRecord } from '../../src/domain/records.ts';
import type { RestoreReport, SalvageReport } from '../../src/domain/rejoin-records.ts';
import type { EtcdPort, Watch } from '../../src/etcd/port.ts';

export const REJOINING = 'a';
const CLUSTER = 'c1';
const OLD = 'a-1';
const NEW = 'a-2';

const CONTRACT = `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: 3s, promote: 3s, open: 3s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 250ms, heartbeatTtl: 60s, clockSkewMax: 500ms}
`;

let estates = 0;

/** `b` leads term 4; `a`, its predecessor, is quarantined. */
export class ScriptedRejoin {
  readonly keys: Keys;
  /** What the agent does not do any more. */
  deaf = false;
  readonly #etcd: EtcdPort;
  #watch: Watch | undefined;
  #acting: Promise<void> = Promise.resolve();

  constructor(etcd: EtcdPort) {
    estates += 1;
    this.keys = new Keys(`rejoin-${estates}`);
    this.#etcd = etcd;
  }

  async seed(): Promise<void> {
    const { keys } = this;
    const since = new Date().toISOString();
    await this.put(keys.contract, parseContract(CONTRACT, 'test'));
    await this.put(keys.map, { version: 1, updatedAt: since });
    await this.put(keys.membership(CLUSTER), {
      epoch: 1,
      members: { a: { region: 'new-york', role: 'voter' }, b: { region: 'new-york', role: 'voter' } },
    } satisfies MembershipRecord);
    await this.lead(4);
    await this.register(OLD);
    await this.put(keys.member(CLUSTER, 'b'), member('b', 'b-1'));
    await this.heartbeat('a', { state: 'quarantined', reason: 'test', incarnation: OLD });
  }

  /** An open authority under a term, and nobody in sync with its leader. */
  async lead(term: number): Promise<void> {
    const since = new Date().toISOString();
    await this.put(this.keys.authority(CLUSTER), {
      term,
      leader: 'b',
      phase: 'open',
      operation: null,
      prefix: null,
      since,
    });
    await this.put(this.keys.inSync(CLUSTER), {
      term,
      epoch: 1,
      voters: [],
      required: 0,
      degraded: true,
      since,
    });
    await this.heartbeat('b', { state: 'leading', writable: true, term, incarnation: 'b-1' });
  }

  /** From now on it acts on each change. */
  async start(): Promise<void> {
    const act = () => {
      this.#acting = this.#acting.then(() => this.act()).catch(() => undefined);
    };
    this.#watch = await this.#etcd.watch(this.keys.cluster(CLUSTER), { onSnapshot: act, onEvents: act });
  }

  async stop(): Promise<void> {
    await this.#watch?.close();
    await this.#acting;
  }

  async view(): Promise<ClusterView> {
    const view = await readClusterView(this.#etcd, this.keys, CLUSTER);
    if (view === undefined) throw new Error('no cluster');
    return view;
  }

  async put(key: string, value: unknown): Promise<void> {
    await this.#etcd.transact([], [{ kind: 'put', key, value: JSON.stringify(value) }]);
  }

  /** One round of the agent, and of the leader's. */
  async act(): Promise<void> {
    if (this.deaf) return;
    const view = await this.view();
    await this.#asAgent(view);
    await this.#asLeader(view);
  }

  async #asAgent(view: ClusterView): Promise<void> {
    const request = view.rejoins.get('a')?.value;
    const incarnation = view.heartbeats.get('a')?.value.incarnation;
    if (request === undefined || request.term !== view.authority?.value.term) return;
    if (request.incarnation !== incarnation) return;
    const kept = view.salvaged.get('a')?.value;
    if (request.stage === 'salvage' && kept?.operation !== request.operation) {
      const report: SalvageReport = {
        operation: request.operation,
        member: 'a',
        incarnation: OLD,
        term: request.term,
        found: 3,
        under: request.operation,
        timeline: 1,
        lsn: '0/5000000',
        salvagedAt: new Date().toISOString(),
      };
      await this.put(this.keys.salvagedReport(CLUSTER, 'a'), report);
    }
    if (request.stage === 'restore' && incarnation === OLD) {
      if (view.membership?.value.members['a']?.role !== 'learner') throw new Error('asked before its epoch');
      const report: RestoreReport = {
        operation: request.operation,
        member: 'a',
        formerIncarnation: OLD,
        incarnation: NEW,
        method: request.method,
        reason: null,
        restoredAt: new Date().toISOString(),
      };
      await this.put(this.keys.restoredReport(CLUSTER, 'a'), report);
      await this.register(NEW);
      await this.heartbeat('a', { state: 'following', incarnation: NEW });
      const follower = {
        member: 'a',
        incarnation: NEW,
        syncState: 'async',
        flushedLsn: '0/1',
        replayedLsn: '0/1',
        lagBytes: '0',
      };
      await this.heartbeat('b', {
        state: 'leading',
        writable: true,
        incarnation: 'b-1',
        followers: [follower],
      });
    }
  }

  /** Takes a voter in, only once the membership says that it is one. */
  async #asLeader({ membership, inSync, members }: ClusterView): Promise<void> {
    const incarnation = members.get('a')?.value.incarnation;
    if (incarnation !== NEW || membership?.value.members['a']?.role !== 'voter') return;
    if (inSync === undefined || inSync.value.voters.length > 0) return;
    const voters = [{ member: 'a', incarnation }];
    await this.put(this.keys.inSync(CLUSTER), { ...inSync.value, voters, required: 1, degraded: false });
  }

  async register(incarnation: string): Promise<void> {
    await this.put(this.keys.member(CLUSTER, 'a'), member('a', incarnation));
  }

  async heartbeat(name: string, over: Partial<HeartbeatRecord>): Promise<void> {
    await this.put(this.keys.heartbeat(CLUSTER, name), {
      member: name,
      cluster: CLUSTER,
      region: 'new-york',
      incarnation: null,
      state: 'following',
      reason: null,
      term: 4,
      epoch: 1,
      timeline: 2,
      postgresUp: true,
      writable: false,
      receivedLsn: null,
      replayedLsn: null,
      flushedLsn: null,
      leaseLeftMs: null,
      synchronousStandbyNames: null,
      followers: [],
      version: 'test',
      at: new Date().toISOString(),
      ...over,
    } satisfies HeartbeatRecord);
  }
}

const member = (name: string, incarnation: string): MemberRecord => ({
  name,
  cluster: CLUSTER,
  region: 'new-york',
  incarnation,
  systemIdentifier: '1',
  registeredAt: new Date().toISOString(),
});
