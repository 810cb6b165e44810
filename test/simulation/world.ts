import { Keys } from '../../src/controlplane/keys.ts';
import type { Write } from '../../src/etcd/port.ts';
import { type Area, areaOf, clusterOf, type MemberSeed } from './area.ts';
import { Eyes } from './eyes.ts';
import { scheduleFaults } from './schedule-faults.ts';
import type { Invariants } from './invariants.ts';
import { Network } from './network.ts';
import type { Planted } from './planted.ts';
import { SimHost, SimProcess } from './process.ts';
import { readOldState } from './old-reads.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { seedEstate } from './seed-estate.ts';
import { runSimAgent, SimMemory } from './sim-agent.ts';
import { type CoordinatorTask, type SimCoordinator, startCoordinator } from './sim-coordinator.ts';
import { type EtcdTrouble, NO_TROUBLE, type SimEtcdClient } from './sim-etcd-client.ts';
import { SimEtcd } from './sim-etcd.ts';
import { emptyDisk, resetRuns, type SimEnvironment, SimPostgres } from './sim-postgres.ts';
import { SeenOperations } from './seen-operations.ts';
import { type Fate, StepStrike } from './step-faults.ts';
import { etcdClient, startDesk } from './world-clients.ts';
import { type Counts, noCounts, type WorldOptions } from './world-options.ts';

const CLIENTS = 2;

/** One simulated estate: a cluster of two or three voters, or two of them, its etcd, its coordinators, its callers, and what befalls them. */
export class World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly etcd: SimEtcd;
  readonly keys = new Keys('sim');
  /** Whose each shard was when the world began. */
  readonly owners: readonly string[];
  readonly clusters: readonly string[];
  readonly area: Area;
  /** Where each member was when the world began. */
  readonly places: readonly MemberSeed[];
  readonly strike: StepStrike | undefined;
  /** Lies in wait for a write that is about to leave. */
  ambush: ((writes: readonly Write[]) => Fate) | undefined;
  /** As that, several at once; the first that strikes is heard. */
  readonly ambushes = new Set<(writes: readonly Write[]) => Fate>();
  readonly hosts = new Map<string, SimHost>();
  readonly members: readonly SimPostgres[];
  readonly agents = new Map<string, SimProcess>();
  readonly eyes: Eyes;
  readonly trouble: EtcdTrouble = { ...NO_TROUBLE };
  readonly counts: Counts = noCounts();
  readonly coordinators: SimCoordinator[] = [];
  readonly #memories = new Map<string, SimMemory>();
  readonly #environment: SimEnvironment;
  #focus: string;
  readonly #planted: Planted;
  readonly #only: readonly string[] | undefined;
  #processes = 0;
  /** True time until which nobody looks after a rebalance. */
  awayUntil = 0;
  /** True time of the latest outcome told, by shard. */
  readonly toldAt = new Map<number, number>();

  constructor({ seed, planted, keepTrace = false, only, area = 'failover', at }: WorldOptions) {
    this.#only = only;
    this.area = areaOf(area);
    this.strike = at === undefined ? undefined : new StepStrike(this, at);
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
        appended: (member, record) => this.eyes.appended(member, record),
        acknowledged: (member, token, shard) => this.eyes.acknowledged(member, token, shard),
        promoted: () => {
          this.counts.promotions += 1;
        },
      },
    };
    const clocksWithinLimits = random.chance(0.85);
    this.places = this.area.members(random);
    this.owners = this.area.owners ?? ['c1', 'c1'];
    this.clusters = [...new Set(this.places.map(clusterOf))];
    this.#focus = this.clusters[0] ?? '';
    const names = this.places.map(({ member }) => member);
    for (const name of [...names, 'op', 'desk']) {
      const rate = clocksWithinLimits ? random.between(0.98, 1.02) : random.between(0.5, 1.5);
      this.hosts.set(
        name,
        new SimHost(this.scheduler, { name, rate, wallOffsetMs: random.between(-400, 400) }),
      );
    }
    for (const { member, region } of this.places) if (region !== 'here') this.network.far.add(member);
    this.members = names.map((name) => new SimPostgres(name, this.hostOf(name), this.#environment));
    this.eyes = new Eyes({
      etcd: this.etcd,
      keys: this.keys,
      clusters: new Map(this.clusters.map((cluster) => [cluster, this.membersOf(cluster)])),
      shards: this.owners.length,
      contract: this.area.contract,
      counts: this.counts,
      planted,
      clocksWithinLimits,
      now: () => this.scheduler.now,
      incarnationOf: (member) => this.memoryOf(member).value.incarnation,
      standingOf: (_, leader) => this.#standingOf(leader),
    });
    this.etcd.onCommit = (_, writes) => this.eyes.committed(writes);
    this.scheduler.afterEvent = () => this.eyes.check();
    for (const name of names) this.#memories.set(name, new SimMemory(name));
    seedEstate({
      etcd: this.etcd,
      keys: this.keys,
      clusters: this.clusters,
      owners: this.owners,
      contract: this.area.contract,
      members: this.members,
      places: this.places,
      memories: this.#memories,
      fresh: random.chance(0.15) && at === undefined && this.clusters.length === 1,
      random,
    });
    for (const name of names) this.startAgent(name);
    for (let index = 0; index < CLIENTS; index += 1) {
      const process = new SimProcess(this.scheduler, this.hostOf('desk'), `desk${index + 1}`);
      startDesk(this, { process, etcd: this.#client(process), environment: this.#environment });
    }
  }

  /** Lets faults come until then. */
  disturb(untilMs: number): { healAll(): void } {
    return scheduleFaults(this, untilMs, this.#only);
  }

  /** The one that faults and people mean now, where there are several. */
  get cluster(): string {
    return this.#focus;
  }

  focus(cluster: string): this {
    this.#focus = cluster;
    return this;
  }

  get invariants(): Invariants {
    return this.eyes.of(this.#focus);
  }

  get operations(): SeenOperations {
    return new SeenOperations(this.etcd, this.keys, this.#focus);
  }

  membersOf(cluster: string): readonly SimPostgres[] {
    return this.members.filter(({ member }) => this.clusterOf(member) === cluster);
  }

  clusterOf(name: string): string {
    const place = this.places.find(({ member }) => member === name);
    return place === undefined ? this.#focus : clusterOf(place);
  }

  /** Who could act for a leader now; undefined: something keeps it from acting. */
  #standingOf(leader: string | null): string | undefined {
    const { etcd, trouble, network } = this;
    const agent = this.agents.get(leader ?? '');
    const server = this.postgresOf(leader ?? '')?.server;
    const acts =
      agent?.state === 'running' && server?.process.state === 'running' && server.mode === 'primary';
    const hears =
      etcd.available && trouble.late === 0 && trouble.lostReply === 0 && trouble.lostRequest === 0;
    return acts && hears && !network.isHindered(leader ?? '') ? agent.name : undefined;
  }

  hostOf(name: string): SimHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  postgresOf(name: string): SimPostgres | undefined {
    return this.members.find(({ member }) => member === name);
  }

  regionOf(name: string | null | undefined): string | undefined {
    return this.places.find(({ member }) => member === name)?.region;
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
      cluster: this.clusterOf(member),
      region: this.regionOf(member) ?? '',
      publishes: this.places.some(({ region }) => region !== 'here'),
      moves: this.clusters.length > 1,
    });
  }

  /** Its agent and its Postgres end together; the answer brings the agent back, which may also happen by itself. */
  loseMember(member: string | null | undefined, forMs?: number): (() => void) | undefined {
    if (member === null || member === undefined || this.postgresOf(member) === undefined) return undefined;
    this.killAgent(member);
    this.postgresOf(member)?.crash('its host is gone');
    if (forMs !== undefined) this.scheduler.after(forMs, '', () => this.startAgent(member));
    return () => this.startAgent(member);
  }

  loseLeader(forMs?: number): (() => void) | undefined {
    return this.loseMember(this.invariants.authority?.leader, forMs);
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
    const client = this.#client(process);
    const etcd =
      this.#planted === 'backs-out-after-the-flip' ? readOldState(client, this.keys, process) : client;
    const about = {
      keys: this.keys,
      cluster: this.#focus,
      planted: this.#planted,
      environment: this.#environment,
    };
    this.coordinators.push(startCoordinator({ ...about, process, etcd, task }));
  }

  calm(): void {
    Object.assign(this.trouble, NO_TROUBLE);
  }

  #process(kind: string, host: string): SimProcess {
    this.#processes += 1;
    return new SimProcess(this.scheduler, this.hostOf(host), `${kind}#${this.#processes}`);
  }

  #client(process: SimProcess): SimEtcdClient {
    return etcdClient(this, process, this.#planted);
  }
}
