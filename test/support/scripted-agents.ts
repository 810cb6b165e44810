/** A cluster whose agents are scripts: they write the reports that real agents would, at once or when they are told to. */
import { Keys } from '../../src/controlplane/keys.ts';
import { type ClusterView, readClusterView } from '../../src/controlplane/cluster-view.ts';
import { parseContract } from '../../src/config/contract.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type {
  FreezeReport,
  HandoverReport,
  HeartbeatRecord,
  ProgressRecord,
  PromotionReport,
  StopReport,
} from '../../src/domain/agent-reports.ts';
import type {
  AuthorityRecord,
  ClaimRecord,
  InSyncRecord,
  LeaseRecord,
  MemberRecord,
  MembershipRecord,
} from '../../src/domain/records.ts';
import type { EtcdPort, Watch } from '../../src/etcd/port.ts';

export const CLUSTER = 'c1';
/** `a` leads, `b` and `d` are recorded as in sync, `c` is a remote observer. */
export const MEMBERS = ['a', 'b', 'c', 'd'] as const;
export const TERM = 3;

export interface AgentScript {
  /** Fresh by its heartbeat, but it does nothing. */
  deaf?: boolean;
  /** Says that it freezes under this incarnation instead of the recorded one. */
  incarnation?: string;
  replayedLsn?: string;
  /** Its heads when it freezes. */
  positions?: Readonly<Record<string, string>>;
  /** Of the old leader: its agent reports that its Postgres has ended. */
  stops?: boolean;
  /** As the leader of a switchover, gets ready and does nothing more. */
  hangs?: boolean;
  /** As the leader of a switchover, keeps its cluster for this reason. */
  keeps?: string;
  /** Changes what it reports of its promotion. */
  promotion?: Partial<PromotionReport>;
}

const CONTRACT = (freezeMs: number) => `
version: 1
lease: {ttl: 3s, renewEvery: 700ms, margin: 400ms, drift: 300ms}
durability: {openDegraded: true}
rpo: {budget: 5s, gate: 3s, release: 1s, action: degrade}
rto: {max: 10m}
movePause: {max: 1s}
deadlines: {decision: 2500ms, read: 2s, lockWait: 1s, etcd: 2s, freeze: ${freezeMs}ms, promote: 3s, open: 3s}
admission: {queuePerShardMax: 2000, batchCommandsMax: 128}
liveness: {heartbeatEvery: 250ms, heartbeatTtl: 60s, clockSkewMax: 500ms}
`;

let estates = 0;

export class ScriptedCluster {
  readonly keys: Keys;
  readonly scripts: Record<string, AgentScript> = {};
  readonly #etcd: EtcdPort;
  #watches: readonly Watch[] = [];
  #acting: Promise<void> = Promise.resolve();
  /** What is said to be so long ago is counted from here, so that it stays as far apart. */
  readonly #seededAtMs = Date.now();

  constructor(etcd: EtcdPort) {
    estates += 1;
    this.keys = new Keys(`failover-${estates}`);
    this.#etcd = etcd;
  }

  /** An open cluster under `TERM`, whose leader has died a while ago unless `leaderAlive`. */
  async seed(
    options: {
      leaderAlive?: boolean;
      inSync?: Partial<InSyncRecord>;
      contract?: Partial<Contract>;
      freezeMs?: number;
    } = {},
  ): Promise<void> {
    const { keys } = this;
    const since = new Date().toISOString();
    const contract = { ...parseContract(CONTRACT(options.freezeMs ?? 3_000), 'test'), ...options.contract };
    await this.put(keys.contract, contract);
    await this.put(keys.map, { version: 1, updatedAt: since });
    await this.put(keys.membership(CLUSTER), {
      epoch: 1,
      members: {
        a: { region: 'new-york', role: 'voter' },
        b: { region: 'new-york', role: 'voter' },
        c: { region: 'madrid', role: 'observer' },
        d: { region: 'new-york', role: 'voter' },
      },
    } satisfies MembershipRecord);
    await this.put(keys.inSync(CLUSTER), {
      term: TERM,
      epoch: 1,
      voters: [voter('b'), voter('d')],
      required: 2,
      degraded: false,
      since,
      ...options.inSync,
    } satisfies InSyncRecord);
    await this.put(keys.authority(CLUSTER), {
      term: TERM,
      leader: 'a',
      phase: 'open',
      operation: null,
      prefix: null,
      since,
    } satisfies AuthorityRecord);
    await this.lease('a', TERM, options.leaderAlive === true ? 0 : 60_000);
    for (const member of MEMBERS) await this.register(member);
    for (const member of MEMBERS) await this.heartbeat(member);
    await this.progress('a');
    await this.progress('c', { peak: null, replayedUntil: this.#ago(61_500) });
    if (options.leaderAlive !== true) await this.heartbeat('a', { state: 'fenced', postgresUp: false });
    else await this.lead();
  }

  /** The leader of `TERM` is well, and sees its followers near; its claim is proved. */
  async lead(): Promise<void> {
    const followers = ['b', 'c', 'd'].map((member) => ({
      member,
      incarnation: `${member}-1`,
      syncState: member === 'c' ? 'async' : 'quorum',
      flushedLsn: '0/5000000',
      replayedLsn: '0/5000000',
      lagBytes: '0',
    }));
    await this.lease('a', TERM);
    await this.heartbeat('a', { state: 'leading', writable: true, followers });
    await this.put(this.keys.claim(CLUSTER), {
      term: TERM,
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
    } satisfies ClaimRecord);
  }

  /** From now on every agent that isn't deaf acts on each change of authority. */
  async start(): Promise<void> {
    const act = () => {
      this.#acting = this.#acting.then(() => this.act()).catch(() => undefined);
    };
    const followed = [this.keys.authority(CLUSTER), `${this.keys.cluster(CLUSTER)}handover/`];
    this.#watches = await Promise.all(
      followed.map((prefix) => this.#etcd.watch(prefix, { onSnapshot: act, onEvents: act })),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.close()));
    await this.#acting;
  }

  view(): Promise<ClusterView> {
    return readClusterView(this.#etcd, this.keys, CLUSTER).then((view) => {
      if (view === undefined) throw new Error('no cluster');
      return view;
    });
  }

  /** One round of every agent. */
  async act(): Promise<void> {
    const view = await this.view();
    const authority = view.authority?.value;
    if (authority === undefined) return;
    for (const member of MEMBERS) {
      if (this.scripts[member]?.deaf === true) continue;
      await this.#actAs(member, authority, view);
    }
  }

  async heartbeat(member: string, over: Partial<HeartbeatRecord> = {}): Promise<void> {
    await this.put(this.keys.heartbeat(CLUSTER, member), {
      member,
      cluster: CLUSTER,
      region: member === 'c' ? 'madrid' : 'new-york',
      incarnation: this.scripts[member]?.incarnation ?? `${member}-1`,
      state: 'following',
      reason: null,
      term: TERM,
      epoch: 1,
      timeline: 1,
      postgresUp: true,
      writable: false,
      receivedLsn: '0/5000000',
      replayedLsn: this.scripts[member]?.replayedLsn ?? '0/5000000',
      flushedLsn: '0/5000000',
      leaseLeftMs: null,
      synchronousStandbyNames: null,
      followers: [],
      version: 'test',
      at: new Date().toISOString(),
      ...over,
    } satisfies HeartbeatRecord);
  }

  async register(member: string, incarnation = `${member}-1`): Promise<void> {
    await this.put(this.keys.member(CLUSTER, member), {
      name: member,
      cluster: CLUSTER,
      region: member === 'c' ? 'madrid' : 'new-york',
      incarnation,
      systemIdentifier: '1',
      registeredAt: new Date().toISOString(),
    } satisfies MemberRecord);
  }

  /** As last published a second before the last renewal of the seed. */
  async progress(member: string, over: Partial<ProgressRecord> = {}): Promise<void> {
    await this.put(this.keys.progress(CLUSTER, member), {
      member,
      incarnation: `${member}-1`,
      term: TERM,
      timeline: 1,
      lsn: '0/5000000',
      positions: { '184': '982441' },
      lineageDigest: 'same',
      replayedUntil: null,
      peak: { decisionsPerSecond: 10, bytesPerSecond: 1_000, shards: { '184': 10 } },
      at: this.#ago(61_000),
      ...over,
    } satisfies ProgressRecord);
  }

  async freeze(member: string, authority: AuthorityRecord): Promise<void> {
    await this.put(this.keys.frozenReport(CLUSTER, member), {
      term: authority.term,
      operation: authority.operation ?? '',
      member,
      incarnation: this.scripts[member]?.incarnation ?? `${member}-1`,
      timeline: 1,
      receivedLsn: '0/5000000',
      replayedLsn: this.scripts[member]?.replayedLsn ?? '0/5000000',
      positions: this.scripts[member]?.positions ?? { '184': '982441' },
      frozenAt: new Date().toISOString(),
    } satisfies FreezeReport);
  }

  async put(key: string, value: unknown): Promise<void> {
    await this.#etcd.transact([], [{ kind: 'put', key, value: JSON.stringify(value) }]);
  }

  async lease(leader: string, term: number, ageMs = 0): Promise<void> {
    await this.put(this.keys.lease(CLUSTER), {
      term,
      leader,
      grantId: `${leader}-${term}`,
      sequence: 1,
      ttlMs: 3_000,
      renewedAt: ageMs === 0 ? new Date().toISOString() : this.#ago(ageMs),
    } satisfies LeaseRecord);
  }

  #ago(ms: number): string {
    return new Date(this.#seededAtMs - ms).toISOString();
  }

  /** From now on nothing is heard of it. */
  async silence(member: string): Promise<void> {
    this.scripts[member] = { deaf: true };
    await this.#etcd.transact([], [{ kind: 'delete', key: this.keys.heartbeat(CLUSTER, member) }]);
  }

  /** The parts of the leader's and the target's agents in a switchover. */
  async #handOver(member: string, authority: AuthorityRecord, view: ClusterView): Promise<void> {
    const { term, phase, operation } = authority;
    const request = view.handoverRequest?.value;
    if (request === undefined) return;
    const leads = member === request.leader;
    if (phase === 'open' && leads && view.handoverReady?.value.operation !== request.operation) {
      const ready = { operation: request.operation, term, member, checkpointMs: 5 };
      await this.put(this.keys.handoverReady(CLUSTER), { ...ready, at: new Date().toISOString() });
    }
    if (phase !== 'draining' || operation !== request.operation) return;
    const report = view.handoverReport?.value;
    const hangs = this.scripts[member]?.hangs === true;
    if (leads && !hangs && report?.operation !== operation) await this.#report(member, authority, view);
    const chosen = member === request.target && report?.operation === operation;
    if (chosen && report.outcome === 'handed-over' && view.frozen.get(member)?.value.operation !== operation)
      await this.freeze(member, { ...authority, term: term + 1 });
  }

  async #report(member: string, { term, operation }: AuthorityRecord, view: ClusterView): Promise<void> {
    const keeps = this.scripts[member]?.keeps;
    const about = { operation: operation ?? '', term, member, incarnation: `${member}-1` };
    const report: HandoverReport = {
      ...about,
      at: new Date().toISOString(),
      ...(keeps === undefined
        ? {
            outcome: 'handed-over',
            end: { timeline: 1, checkpointLsn: '0/4FFFFF0', positions: { '184': '982441' } },
          }
        : { outcome: 'kept', reason: keeps }),
    };
    await this.put(this.keys.handoverReport(CLUSTER), report);
    if (keeps === undefined) return;
    const open = { ...view.authority?.value, phase: 'open', operation: null };
    await this.put(this.keys.authority(CLUSTER), open);
    await this.lease(member, term);
  }

  async #actAs(member: string, authority: AuthorityRecord, view: ClusterView): Promise<void> {
    await this.#handOver(member, authority, view);
    const { term, phase, leader, prefix } = authority;
    if (phase === 'fenced' && member === 'a' && this.scripts['a']?.stops === true) {
      const report = { term, operation: authority.operation ?? '', member, incarnation: 'a-1' };
      await this.put(this.keys.stopReport(CLUSTER, 'a'), {
        ...report,
        stoppedAt: new Date().toISOString(),
      } satisfies StopReport);
    }
    const freezes = authority.freeze !== 'voters' || view.membership?.value.members[member]?.role === 'voter';
    const unfrozen = view.frozen.get(member)?.value.term !== term;
    if (phase === 'fenced' && member !== 'a' && freezes && unfrozen) {
      await this.freeze(member, authority);
      await this.heartbeat(member, { state: 'frozen', term });
    }
    if (phase === 'promoting' && leader === member && view.promotion?.value.term !== term) {
      await this.put(this.keys.promotionReport(CLUSTER), {
        term,
        operation: authority.operation ?? '',
        member,
        timeline: 2,
        switchLsn: prefix?.lsn ?? '',
        positions: prefix?.positions ?? {},
        promotedAt: new Date().toISOString(),
        ...this.scripts[member]?.promotion,
      } satisfies PromotionReport);
    }
    if (phase === 'open' && leader === member && term > TERM) {
      await this.lease(member, term);
      await this.heartbeat(member, { state: 'leading', term, writable: true });
    }
  }
}

const voter = (member: string) => ({ member, incarnation: `${member}-1` });
