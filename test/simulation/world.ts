import type { Contract } from '../../src/domain/contract.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { Compare, Write } from '../../src/etcd/port.ts';
import { scheduleFaults } from './schedule-faults.ts';
import { Invariants } from './invariants.ts';
import { Network } from './network.ts';
import type { Planted } from './planted.ts';
import { SimHost, SimProcess } from './process.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { seedEstate } from './seed-estate.ts';
import { runSimAgent, SimMemory } from './sim-agent.ts';
import { runSimClient } from './sim-client.ts';
import { type CoordinatorTask, type SimCoordinator, startCoordinator } from './sim-coordinator.ts';
import { type EtcdTrouble, NO_TROUBLE, SimEtcdClient } from './sim-etcd-client.ts';
import { SimEtcd } from './sim-etcd.ts';
import { emptyDisk, resetRuns, type SimEnvironment, SimPostgres } from './sim-postgres.ts';

export const CLUSTER = 'c1';
export const SHARDS = 2;
const CLIENTS = 2;

export const CONTRACT: Contract = {
  version: 1,
  lease: { ttlMs: 3_000, renewEveryMs: 700, marginMs: 400, driftMs: 300 },
  durability: { openDegraded: true },
  rpo: { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action: 'degrade' },
  rto: { maxMs: 600_000 },
  movePause: { maxMs: 1_000 },
  deadlines: {
    decisionMs: 2_500,
    readMs: 2_000,
    lockWaitMs: 1_000,
    etcdMs: 1_000,
    freezeMs: 4_000,
    promoteMs: 6_000,
    openMs: 8_000,
  },
  admission: { queuePerShardMax: 100, batchCommandsMax: 10 },
  liveness: { heartbeatEveryMs: 1_000, heartbeatTtlMs: 5_000, clockSkewMaxMs: 500 },
};

export interface WorldOptions {
  readonly seed: number;
  readonly planted?: Planted;
  readonly keepTrace?: boolean;
  /** The faults that may come; default: drawn from all. */
  readonly only?: readonly string[] | undefined;
}

export interface Counts {
  readonly faults: Map<string, number>;
  decided: number;
  refused: number;
  unknown: number;
  told: number;
  promotions: number;
  failovers: number;
  aborts: number;
  rebuilt: number;
  lostRequests: number;
  lostReplies: number;
  lateWrites: number;
  repeatedWrites: number;
}

/** One simulated estate: a cluster of two or three voters, its etcd, its coordinators, its callers, and what befalls them. */
export class World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly etcd: SimEtcd;
  readonly keys = new Keys('sim');
  readonly hosts = new Map<string, SimHost>();
  readonly members: readonly SimPostgres[];
  readonly agents = new Map<string, SimProcess>();
  readonly invariants: Invariants;
  readonly trouble: EtcdTrouble = { ...NO_TROUBLE };
  readonly counts: Counts = {
    faults: new Map(),
    decided: 0,
    refused: 0,
    unknown: 0,
    told: 0,
    promotions: 0,
    failovers: 0,
    aborts: 0,
    rebuilt: 0,
    lostRequests: 0,
    lostReplies: 0,
    lateWrites: 0,
    repeatedWrites: 0,
  };
  readonly coordinators: SimCoordinator[] = [];
  readonly #memories = new Map<string, SimMemory>();
  readonly #environment: SimEnvironment;
  readonly #planted: Planted;
  readonly #only: readonly string[] | undefined;
  #processes = 0;
  /** True time of the latest outcome told, by shard. */
  readonly toldAt = new Map<number, number>();

  constructor({ seed, planted, keepTrace = false, only }: WorldOptions) {
    this.#only = only;
    resetRuns();
    const random = new Random(seed);
    this.scheduler = new Scheduler(random, { keepTrace });
    this.network = new Network(this.scheduler);
    this.etcd = new SimEtcd(this.scheduler);
    this.#planted = planted;
    this.#environment = {
      scheduler: this.scheduler,
      network: this.network,
      planted,
      postgresOf: (member) => this.postgresOf(member),
      observer: {
        appended: (member, record) => this.invariants.appended(member, record),
        acknowledged: (member, token, shard) => this.invariants.acknowledged(member, token, shard),
        promoted: () => {
          this.counts.promotions += 1;
        },
      },
    };
    const clocksWithinLimits = random.chance(0.85);
    const names = ['m1', 'm2', ...(random.chance(0.5) ? ['m3'] : [])];
    for (const name of [...names, 'op', 'desk']) {
      const rate = clocksWithinLimits ? random.between(0.98, 1.02) : random.between(0.5, 1.5);
      this.hosts.set(
        name,
        new SimHost(this.scheduler, { name, rate, wallOffsetMs: random.between(-400, 400) }),
      );
    }
    this.members = names.map((name) => new SimPostgres(name, this.hostOf(name), this.#environment));
    this.invariants = new Invariants({
      etcd: this.etcd,
      keys: this.keys,
      cluster: CLUSTER,
      members: this.members,
      shards: SHARDS,
      ttlMs: CONTRACT.lease.ttlMs,
      clocksWithinLimits,
      now: () => this.scheduler.now,
    });
    this.etcd.onCommit = (_, writes) => this.invariants.committed(writes);
    this.scheduler.afterEvent = () => this.invariants.check();
    for (const name of names) this.#memories.set(name, new SimMemory(name));
    seedEstate({
      etcd: this.etcd,
      keys: this.keys,
      cluster: CLUSTER,
      shards: SHARDS,
      contract: CONTRACT,
      members: this.members,
      memories: this.#memories,
      fresh: random.chance(0.15),
      random,
    });
    for (const name of names) this.startAgent(name);
    for (let index = 0; index < CLIENTS; index += 1) this.#startClient(`desk${index + 1}`);
  }

  /** Lets faults come until then. */
  disturb(untilMs: number): { healAll(): void } {
    return scheduleFaults(this, untilMs, this.#only);
  }

  hostOf(name: string): SimHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  postgresOf(name: string): SimPostgres | undefined {
    return this.members.find(({ member }) => member === name);
  }

  anyMember(): string {
    return this.scheduler.random.pick(this.members)?.member ?? 'm1';
  }

  anyHost(): string {
    return this.scheduler.random.pick([...this.hosts.keys()]) ?? 'm1';
  }

  anyCoordinator(): SimCoordinator | undefined {
    return this.scheduler.random.pick(this.liveCoordinators);
  }

  get liveCoordinators(): readonly SimCoordinator[] {
    return this.coordinators.filter(({ process, ended }) => process.alive && ended === undefined);
  }

  get activeOperation(): string | undefined {
    const kv = this.etcd.get(this.keys.activeOperation(CLUSTER));
    return kv === undefined ? undefined : (JSON.parse(kv.value) as string);
  }

  memoryOf(member: string): SimMemory {
    const memory = this.#memories.get(member);
    if (memory === undefined) throw new Error(`there is no member ${member}`);
    return memory;
  }

  killAgent(member: string): void {
    this.agents.get(member)?.kill();
  }

  startAgent(member: string): void {
    const postgres = this.postgresOf(member);
    if (this.agents.get(member)?.alive === true || postgres === undefined) return;
    const process = this.#process(`agent-${member}`, member);
    this.agents.set(member, process);
    const memory = this.memoryOf(member);
    void runSimAgent({
      process,
      postgres,
      memory,
      etcd: this.#client(process),
      keys: this.keys,
      cluster: CLUSTER,
    });
  }

  /** A person wipes a member that was shut for good, and lets its agent begin anew. */
  rebuild(member: string): void {
    const postgres = this.postgresOf(member);
    if (postgres === undefined) return;
    this.counts.rebuilt += 1;
    this.scheduler.note(`${member} is rebuilt by hand`);
    this.killAgent(member);
    postgres.crash('rebuilt');
    postgres.disk = emptyDisk();
    this.#memories.set(member, new SimMemory(member));
    this.startAgent(member);
  }

  coordinate(task: CoordinatorTask): void {
    const process = this.#process('coordinator', 'op');
    const etcd = this.#client(process);
    this.coordinators.push(startCoordinator({ process, etcd, keys: this.keys, cluster: CLUSTER, task }));
  }

  calm(): void {
    Object.assign(this.trouble, NO_TROUBLE);
  }

  #process(kind: string, host: string): SimProcess {
    this.#processes += 1;
    return new SimProcess(this.scheduler, this.hostOf(host), `${kind}#${this.#processes}`);
  }

  #client(process: SimProcess): SimEtcdClient {
    const { etcd, network, trouble, counts } = this;
    return new SimEtcdClient({ process, etcd, network, trouble, counts, alter: this.#alter });
  }

  readonly #alter = (compares: readonly Compare[], writes: readonly Write[]): readonly Compare[] => {
    if (
      this.#planted === 'renews-without-the-authority' &&
      writes.some(({ key }) => key === this.keys.lease(CLUSTER))
    )
      return [];
    if (this.#planted === 'journals-without-the-revision')
      return compares.filter(
        ({ key, modRevision }) => !key.startsWith(this.keys.operations) || modRevision === '0',
      );
    return compares;
  };

  #startClient(name: string): void {
    const process = new SimProcess(this.scheduler, this.hostOf('desk'), name);
    void runSimClient({
      process,
      etcd: this.#client(process),
      keys: this.keys,
      cluster: CLUSTER,
      shards: SHARDS,
      environment: this.#environment,
      observer: {
        asked: (kind) => {
          this.counts[kind] += 1;
        },
        told: (client, told) => {
          this.counts.told += 1;
          this.toldAt.set(told.shard, this.scheduler.now);
          this.invariants.told(client, told);
        },
      },
    });
  }
}
