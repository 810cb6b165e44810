/** Real etcd for tests: one member or a cluster, on free loopback ports, each member to be killed, paused and restarted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openEtcd } from '../../src/etcd/etcd3-adapter.ts';
import type { EtcdOptions } from '../../src/etcd/options.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';

const START_MS = 15_000;

export interface TestEtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Whether clients must show a certificate of this CA too. */
  readonly demandClientCert: boolean;
}

export class TestEtcdMember {
  readonly name: string;
  readonly url: string;
  readonly #args: readonly string[];
  readonly #log: string;
  #child: ChildProcess | undefined;

  constructor({ name, url, args, log }: { name: string; url: string; args: readonly string[]; log: string }) {
    this.name = name;
    this.url = url;
    this.#args = args;
    this.#log = log;
  }

  start(): void {
    const log = openSync(this.#log, 'a');
    this.#child = spawn('etcd', this.#args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** kill -9, as a crash; `start` brings it back with its data. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  get log(): string {
    return readFileSync(this.#log, 'utf8');
  }
}

export class TestEtcd {
  readonly members: readonly TestEtcdMember[];
  readonly directory: string;

  constructor(members: readonly TestEtcdMember[], directory: string) {
    this.members = members;
    this.directory = directory;
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ url }) => url);
  }

  member(index: number): TestEtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`there is no etcd member ${index}`);
    return member;
  }

  open(options: Partial<EtcdOptions> = {}): Promise<EtcdPort> {
    return openEtcd({ endpoints: this.endpoints, ...options });
  }

  /** The member that leads now, as the members themselves say. */
  async leader(): Promise<TestEtcdMember> {
    const etcd = await this.open();
    try {
      return await eventually('an etcd leader', async () => {
        const statuses = await etcd.status({ timeoutMs: 1_000 });
        const leads = statuses.find(({ memberId, leaderId }) => memberId !== null && memberId === leaderId);
        return this.members.find(({ url }) => url === leads?.endpoint);
      });
    } finally {
      etcd.close();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface StartEtcdOptions {
  readonly tls?: TestEtcdTls;
  /** Changes a member's client options before the first answer is waited for (TLS). */
  readonly clientOptions?: Partial<EtcdOptions>;
}

export const startEtcd = (options?: StartEtcdOptions): Promise<TestEtcd> => startEtcdCluster(1, options);

/** Starts `size` members and waits until every one of them answers a linearizable read. */
export async function startEtcdCluster(
  size: number,
  { tls, clientOptions = {} }: StartEtcdOptions = {},
): Promise<TestEtcd> {
  const directory = mkdtempSync(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'etcd-'));
  const scheme = tls === undefined ? 'http' : 'https';
  const ports = await freePorts(size * 2);
  const places = Array.from({ length: size }, (_, index) => ({
    name: `m${index}`,
    client: `${scheme}://127.0.0.1:${ports[index * 2]}`,
    peer: `http://127.0.0.1:${ports[index * 2 + 1]}`,
  }));
  const initial = places.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const members = places.map(
    ({ name, client, peer }) =>
      new TestEtcdMember({
        name,
        url: client,
        log: join(directory, `${name}.log`),
        args: [
          `--name=${name}`,
          `--data-dir=${join(directory, name)}`,
          `--listen-client-urls=${client}`,
          `--advertise-client-urls=${client}`,
          `--listen-peer-urls=${peer}`,
          `--initial-advertise-peer-urls=${peer}`,
          `--initial-cluster=${initial}`,
          '--initial-cluster-state=new',
          '--heartbeat-interval=100',
          '--election-timeout=1000',
          '--logger=zap',
          '--log-level=warn',
          ...(tls === undefined ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`]),
          ...(tls?.demandClientCert === true ? ['--client-cert-auth', `--trusted-ca-file=${tls.ca}`] : []),
        ],
      }),
  );
  const etcd = new TestEtcd(members, directory);
  for (const member of members) member.start();
  try {
    await Promise.all(members.map((member) => answers(member, clientOptions)));
  } catch (error) {
    const logs = members.map(({ log }) => log.slice(-2_000)).join('\n');
    await etcd.stop();
    throw new Error(`etcd did not start:\n${logs}`, { cause: error });
  }
  return etcd;
}

async function answers(member: TestEtcdMember, options: Partial<EtcdOptions>): Promise<void> {
  const etcd = await openEtcd({ endpoints: [member.url], timeoutMs: 1_000, ...options });
  try {
    await eventually(
      `etcd ${member.name}`,
      async () => (await etcd.range('/').catch(() => undefined)) !== undefined || undefined,
      START_MS,
    );
  } finally {
    etcd.close();
  }
}

/** Waits for a condition to give a value; the deadline is part of the claim. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(25);
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no TCP address');
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
