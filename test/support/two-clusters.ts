/** A real estate of two clusters with their agents as processes: what shards are moved between. No gateways, no coordinator. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from 'pg';
import { stringify } from 'yaml';
import { stopPostmaster } from '../../src/agent/postmaster.ts';
import { loadContract } from '../../src/config/contract.ts';
import { type EstateConfig, loadEstateConfig, type PostgresRole } from '../../src/config/estate-config.ts';
import { createCluster } from '../../src/controlplane/create-cluster.ts';
import { type EstateWatch, type EstateView, watchEstate } from '../../src/controlplane/estate-watch.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { CapstanError, ExitCode } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { connectAs } from '../../src/postgres/connect-as.ts';
import { closeConnection } from '../../src/postgres/connection.ts';
import { TestAgent } from './agent-process.ts';
import { ROLES } from './agents.ts';
import { eventually, startEtcdCluster, type TestEtcd } from './etcd.ts';
import type { LinkedRegions } from './linked-regions.ts';
import { freePort } from './postgres.ts';

export const FROM = 'c1';
export const TO = 'c2';

export interface TwoClustersOptions {
  /** Which clusters have an observer in the other region. */
  readonly observers?: readonly string[];
  readonly shardCount?: number;
  /** Through which the observer of a cluster reaches its voters; only these: etcd and the other cluster are reached past them. */
  readonly links?: Readonly<Record<string, LinkedRegions>>;
}

interface Parts {
  readonly etcd: TestEtcd;
  readonly port: EtcdPort;
  readonly keys: Keys;
  readonly config: EstateConfig;
  readonly folder: string;
  readonly watch: EstateWatch;
}

/** Cluster c1 with m1 leading m2 (and m3 observing), c2 with n1 leading n2 (and n3). */
export class TwoClusters {
  readonly port: EtcdPort;
  readonly keys: Keys;
  readonly config: EstateConfig;
  readonly watch: EstateWatch;
  readonly #parts: Parts;
  readonly #agents: ReadonlyMap<string, TestAgent>;
  readonly #clients = new Set<Client>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.port = parts.port;
    this.keys = parts.keys;
    this.config = parts.config;
    this.watch = parts.watch;
    this.#agents = new Map(
      Object.values(parts.config.clusters)
        .flatMap(({ members }) => Object.keys(members))
        .map((name) => [name, new TestAgent(name, parts.config.source, parts.folder)]),
    );
  }

  view(): EstateView {
    return this.watch.current();
  }

  agent(member: string): TestAgent {
    const agent = this.#agents.get(member);
    if (agent === undefined) throw new Error(`no member ${member}`);
    return agent;
  }

  clusterOf(member: string): string {
    const found = Object.entries(this.config.clusters).find(([, { members }]) => member in members);
    if (found === undefined) throw new Error(`no member ${member}`);
    return found[0];
  }

  leaderOf(cluster: string): string {
    const leader = this.view().clusters.get(cluster)?.authority?.value.leader;
    if (leader === undefined || leader === null) throw new Error(`${cluster} has no leader`);
    return leader;
  }

  termOf(cluster: string): number {
    return this.view().clusters.get(cluster)?.authority?.value.term ?? 0;
  }

  dataDir(member: string): string {
    return join(this.#parts.folder, member);
  }

  async postmaster(member: string): Promise<number> {
    const text = await readFile(join(this.dataDir(member), 'postmaster.pid'), 'utf8').catch(() => '');
    return Number(text.split('\n')[0]);
  }

  async connect(member: string, role: PostgresRole = 'superuser'): Promise<Client> {
    const client = await connectAs({
      config: this.config,
      role,
      cluster: this.clusterOf(member),
      member,
      applicationName: 'test',
      connectTimeoutMs: 3_000,
      statementTimeoutMs: 20_000,
      lockTimeoutMs: 0,
    });
    client.on('error', () => undefined);
    this.#clients.add(client);
    return client;
  }

  async disconnect(client: Client): Promise<void> {
    this.#clients.delete(client);
    await closeConnection(client, { timeoutMs: 100 });
  }

  /** Runs one statement as the superuser at a member. */
  async ask<R extends object>(member: string, text: string, values: unknown[] = []): Promise<R[]> {
    const client = await this.connect(member);
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await this.disconnect(client);
    }
  }

  until(what: string, holds: (view: EstateView) => boolean, timeoutMs = 30_000): Promise<EstateView> {
    return this.watch.until(holds, { what, timeoutMs });
  }

  /** Until both leaders could decide, and every other member follows. */
  async untilOpen(timeoutMs = 120_000): Promise<void> {
    try {
      for (const cluster of [FROM, TO]) await this.untilLed(cluster, timeoutMs);
    } catch (error) {
      throw new Error(`not open:\n${await this.logs()}`, { cause: error });
    }
  }

  async untilLed(cluster: string, timeoutMs = 60_000): Promise<void> {
    await this.until(
      `${cluster} is led and followed`,
      ({ clusters }) => {
        const view = clusters.get(cluster);
        return (
          view?.authority?.value.phase === 'open' &&
          view.inSync?.value.degraded === false &&
          view.lease?.value.term === view.authority.value.term
        );
      },
      timeoutMs,
    );
    await eventually(`a valid lease in ${cluster}`, () => this.#isLeased(cluster), timeoutMs);
  }

  async #isLeased(cluster: string): Promise<true | undefined> {
    const rows = await this.ask(
      this.leaderOf(cluster),
      `select 1 from capstan.lease where admission = 'open' and clock_timestamp() < expires_at
         and sync_names = current_setting('synchronous_standby_names')`,
    ).catch(() => []);
    return rows.length === 1 ? true : undefined;
  }

  async logs(): Promise<string> {
    const texts = await Promise.all(
      [...this.#agents.values()].map(async ({ member, log }) => {
        const text = await readFile(log, 'utf8').catch(() => '');
        const postgres = await readFile(`${this.dataDir(member)}.agent/postgres.log`, 'utf8').catch(() => '');
        return `--- ${member}\n${text.slice(-8_000)}\n${postgres.slice(-3_000)}`;
      }),
    );
    return texts.join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => closeConnection(client, { timeoutMs: 100 })));
    await Promise.all(
      [...this.#agents.values()].map(async (agent) => {
        agent.signal('SIGCONT');
        await agent.end('SIGKILL');
        const pid = await this.postmaster(agent.member);
        const dataDir = this.dataDir(agent.member);
        if (pid > 1) await stopPostmaster({ dataDir, pid, mode: 'immediate', stepMs: 2_000 });
      }),
    );
    await this.watch.close();
    this.port.close();
    await this.#parts.etcd.stop();
    await rm(this.#parts.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  [FROM]: ['m1', 'm2', 'm3'],
  [TO]: ['n1', 'n2', 'n3'],
};

/** Created in etcd, with every agent started. Shards are spread over both clusters. */
export async function startTwoClusters(options: TwoClustersOptions = {}): Promise<TwoClusters> {
  const { observers = [], shardCount = 16, links = {} } = options;
  const folder = await mkdtemp(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'estate-'));
  await chmod(folder, 0o755);
  const etcd = await startEtcdCluster(1);
  await mkdir(join(folder, 'secrets'), { mode: 0o700 });
  await Promise.all(ROLES.map((role) => writeFile(join(folder, 'secrets', role), `${role}-password\n`)));
  const clusters: Record<string, unknown> = {};
  for (const [cluster, names] of Object.entries(MEMBERS)) {
    const members: Record<string, unknown> = {};
    for (const [index, name] of names.entries()) {
      if (index === 2 && !observers.includes(cluster)) continue;
      const listen = `127.0.0.1:${await freePort()}`;
      const place =
        index === 2 ? { region: 'madrid', role: 'observer' } : { region: 'new-york', role: 'voter' };
      const route =
        index === 2 ? undefined : await links[cluster]?.route('new-york', Number(listen.split(':')[1]));
      const linked = route === undefined ? {} : { [route.from]: `127.0.0.1:${route.port}` };
      members[name] = { ...place, dataDir: name, listen, address: { default: listen, ...linked } };
    }
    clusters[cluster] = { homeRegion: 'new-york', bootstrapMember: names[0], members };
  }
  const source = join(folder, 'capstan.yaml');
  const passwords = Object.fromEntries(ROLES.map((role) => [role, { file: `secrets/${role}` }]));
  await writeFile(
    source,
    stringify({
      estate: 'test',
      etcd: { endpoints: { default: etcd.endpoints } },
      postgres: { passwords },
      clusters,
    }),
  );
  const config = await loadEstateConfig(source);
  const shipped = await loadContract(fileURLToPath(new URL('../../contract.yaml', import.meta.url)));
  const contract = {
    ...shipped,
    ...(shipped.failover === undefined ? {} : { failover: { ...shipped.failover, automatic: false } }),
  };
  const port = await etcd.open();
  const keys = new Keys('test');
  await initEstate({ etcd: port, keys, config, contract, shardCount, actor: 'test' });
  for (const cluster of Object.keys(MEMBERS))
    await createCluster({ etcd: port, keys, config, cluster, actor: 'test' });
  const watch = await watchEstate({ etcd: port, keys, heartbeats: true });
  const world = new TwoClusters({ etcd, port, keys, config, folder, watch });
  for (const { members } of Object.values(config.clusters))
    for (const name of Object.keys(members)) world.agent(name).start();
  return world;
}

/** Kills a leader's agent and has its cluster led by its voter, as an operator would; the old Postgres stays up, fenced. */
export async function failOverWithin(world: TwoClusters, cluster: string): Promise<void> {
  const leader = world.leaderOf(cluster);
  await world.agent(leader).end('SIGKILL');
  const options = {
    etcd: world.port,
    keys: world.keys,
    cluster,
    actor: 'test',
    force: true,
    acceptDegraded: true,
  };
  await runFailover(options).catch(async (error: unknown) => {
    if (!(error instanceof CapstanError) || error.exit !== ExitCode.unknown) throw error;
    const id = error.data['operation'];
    await resumeOperation({ etcd: world.port, keys: world.keys, id: String(id), actor: 'test' });
  });
  await world.until(`${cluster} has another leader`, () => world.leaderOf(cluster) !== leader);
}
