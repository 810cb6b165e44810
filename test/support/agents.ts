/** A real estate of one cluster with its agents as processes: etcd, Postgres, everything but gateways. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from 'pg';
import { stringify } from 'yaml';
import { loadContract } from '../../src/config/contract.ts';
import { type EstateConfig, loadEstateConfig, type PostgresRole } from '../../src/config/estate-config.ts';
import { type ClusterView, readClusterView } from '../../src/controlplane/cluster-view.ts';
import { createCluster } from '../../src/controlplane/create-cluster.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { connectAs } from '../../src/postgres/connect-as.ts';
import { closeConnection } from '../../src/postgres/connection.ts';
import { stopPostmaster } from '../../src/agent/postmaster.ts';
import { TestAgent } from './agent-process.ts';
import { eventually, startEtcdCluster, type TestEtcd } from './etcd.ts';
import type { LinkedRegions } from './linked-regions.ts';
import { freePort } from './postgres.ts';

export const ROLES: readonly PostgresRole[] = [
  'superuser',
  'replication',
  'gateway',
  'app',
  'agent',
  'operator',
  'reader',
];
export const CLUSTER = 'c1';

export interface TestMember {
  readonly name: string;
  readonly role: 'voter' | 'observer';
}

export const PAIR: readonly TestMember[] = [
  { name: 'm1', role: 'voter' },
  { name: 'm2', role: 'voter' },
];
export const TRIO: readonly TestMember[] = [...PAIR, { name: 'm3', role: 'observer' }];

export class TestEstate {
  readonly etcd: TestEtcd;
  readonly port: EtcdPort;
  readonly keys: Keys;
  readonly config: EstateConfig;
  readonly contract: Contract;
  readonly folder: string;
  readonly #agents: ReadonlyMap<string, TestAgent>;
  readonly #clients = new Set<Client>();

  constructor(parts: {
    etcd: TestEtcd;
    port: EtcdPort;
    keys: Keys;
    config: EstateConfig;
    contract: Contract;
    folder: string;
  }) {
    this.etcd = parts.etcd;
    this.port = parts.port;
    this.keys = parts.keys;
    this.config = parts.config;
    this.contract = parts.contract;
    this.folder = parts.folder;
    this.#agents = new Map(
      this.members.map((name) => [name, new TestAgent(name, parts.config.source, parts.folder)]),
    );
  }

  get members(): readonly string[] {
    return Object.keys(this.config.clusters[CLUSTER]?.members ?? {});
  }

  agent(member: string): TestAgent {
    const agent = this.#agents.get(member);
    if (agent === undefined) throw new Error(`no member ${member}`);
    return agent;
  }

  startAll(): void {
    for (const agent of this.#agents.values()) agent.start();
  }

  dataDir(member: string): string {
    return join(this.folder, member);
  }

  async postmaster(member: string): Promise<number> {
    const text = await readFile(join(this.dataDir(member), 'postmaster.pid'), 'utf8').catch(() => '');
    return Number(text.split('\n')[0]);
  }

  async connect(member: string, role: PostgresRole = 'superuser'): Promise<Client> {
    const client = await connectAs({
      config: this.config,
      role,
      cluster: CLUSTER,
      member,
      applicationName: 'test',
      connectTimeoutMs: 3_000,
      statementTimeoutMs: 20_000,
      lockTimeoutMs: 0,
    });
    this.#clients.add(client);
    return client;
  }

  async view(): Promise<ClusterView> {
    const view = await readClusterView(this.port, this.keys, CLUSTER);
    if (view === undefined) throw new Error('no cluster');
    return view;
  }

  until(what: string, holds: (view: ClusterView) => boolean, timeoutMs = 30_000): Promise<ClusterView> {
    return eventually(
      what,
      async () => {
        const view = await this.view();
        return holds(view) ? view : undefined;
      },
      timeoutMs,
    );
  }

  /** Until the leader's Postgres carries a lease that would let a decision through. */
  async untilLeased(member: string, timeoutMs = 45_000): Promise<void> {
    try {
      await eventually(`a valid lease on ${member}`, () => this.isLeased(member), timeoutMs);
    } catch (error) {
      throw new Error(`no lease:\n${await this.logs()}`, { cause: error });
    }
  }

  /** Until it is leased and every other member says of itself that it follows: what a failover asks of those it freezes. */
  async untilFollowed(leader: string, timeoutMs = 45_000): Promise<void> {
    await this.untilLeased(leader, timeoutMs);
    await this.until(`all follow ${leader}`, ({ membership, members, heartbeats }) =>
      Object.keys(membership?.value.members ?? {}).every(
        (name) => name === leader || (members.has(name) && heartbeats.get(name)?.value.state === 'following'),
      ),
    );
  }

  /** True or undefined, for `eventually`. */
  async isLeased(member: string): Promise<true | undefined> {
    let client: Client | undefined;
    try {
      client = await this.connect(member);
      const { rows } = await client.query(
        `select 1 from capstan.lease where admission = 'open' and clock_timestamp() < expires_at
           and postmaster_started_at = pg_postmaster_start_time()
           and sync_names = current_setting('synchronous_standby_names')`,
      );
      return rows.length === 1 ? true : undefined;
    } catch {
      return undefined;
    } finally {
      if (client !== undefined) await closeConnection(client);
    }
  }

  /** Throws a member's data and its agent's memory away, as a new disk would. */
  async discard(member: string): Promise<void> {
    await rm(this.dataDir(member), { recursive: true, force: true });
    await rm(`${this.dataDir(member)}.agent`, { recursive: true, force: true });
  }

  async logs(): Promise<string> {
    const texts = await Promise.all(
      [...this.#agents.values()].map(async ({ member, log }) => {
        const text = await readFile(log, 'utf8').catch(() => '');
        const postgres = await readFile(`${this.dataDir(member)}.agent/postgres.log`, 'utf8').catch(() => '');
        return `--- ${member}\n${text.slice(-6_000)}\n${postgres.slice(-2_000)}`;
      }),
    );
    return texts.join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => closeConnection(client, { timeoutMs: 100 })));
    for (const agent of this.#agents.values()) {
      agent.signal('SIGCONT');
      await agent.end('SIGKILL');
    }
    await Promise.all(
      this.members.map(async (member) => {
        const pid = await this.postmaster(member);
        if (pid > 1)
          await stopPostmaster({ dataDir: this.dataDir(member), pid, mode: 'immediate', stepMs: 2_000 });
      }),
    );
    this.port.close();
    await this.etcd.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** An estate with one cluster, created in etcd; its agents are not started yet. */
export async function createTestEstate(
  members: readonly TestMember[],
  options: {
    readonly etcdMembers?: number;
    readonly shardCount?: number;
    /** Whether agents replace a lost leader by themselves; by default the test is the operator. */
    readonly automatic?: boolean;
    /** Other budgets and another action than the shipped ones. */
    readonly rpo?: Partial<Contract['rpo']>;
    /** Configured, and not in the cluster's first membership. */
    readonly spare?: readonly TestMember[];
    /** What crosses regions goes through these; etcd is in madrid. */
    readonly links?: LinkedRegions;
  } = {},
): Promise<TestEstate> {
  const folder = await mkdtemp(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'estate-'));
  await chmod(folder, 0o755);
  const etcd = await startEtcdCluster(options.etcdMembers ?? 1);
  const source = join(folder, 'capstan.yaml');
  await mkdir(join(folder, 'secrets'), { mode: 0o700 });
  await Promise.all(ROLES.map((role) => writeFile(join(folder, 'secrets', role), `${role}-password\n`)));
  const entries: [string, unknown][] = [];
  const { spare = [] } = options;
  for (const { name, role } of [...members, ...spare]) {
    const listen = `127.0.0.1:${await freePort()}`;
    const region = role === 'voter' ? 'new-york' : 'madrid';
    const route = await options.links?.route(region, Number(listen.split(':')[1]));
    const remote = route === undefined ? {} : { [route.from]: `127.0.0.1:${route.port}` };
    entries.push([name, { region, role, dataDir: name, listen, address: { default: listen, ...remote } }]);
  }
  const document = {
    estate: 'test',
    etcd: { endpoints: { default: etcd.endpoints, ...(await options.links?.etcdFromAfar(etcd.endpoints)) } },
    postgres: { passwords: Object.fromEntries(ROLES.map((role) => [role, { file: `secrets/${role}` }])) },
    clusters: {
      [CLUSTER]: {
        homeRegion: 'new-york',
        bootstrapMember: members[0]?.name,
        members: Object.fromEntries(entries),
      },
    },
  };
  await writeFile(source, stringify(document));
  const config = await loadEstateConfig(source);
  const shipped = await loadContract(fileURLToPath(new URL('../../contract.yaml', import.meta.url)));
  const { automatic = false } = options;
  const contract: Contract = {
    ...shipped,
    rpo: { ...shipped.rpo, ...options.rpo },
    ...(shipped.failover === undefined ? {} : { failover: { ...shipped.failover, automatic } }),
  };
  const port = await etcd.open();
  const keys = new Keys('test');
  await initEstate({
    etcd: port,
    keys,
    config,
    contract,
    shardCount: options.shardCount ?? 8,
    actor: 'test',
  });
  const first = structuredClone(config);
  for (const { name } of spare) delete first.clusters[CLUSTER]?.members[name];
  await createCluster({ etcd: port, keys, config: first, cluster: CLUSTER, actor: 'test' });
  return new TestEstate({ etcd, port, keys, config, contract, folder });
}
