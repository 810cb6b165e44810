import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findPostgresBinaries } from '../../src/postgres/binaries.ts';
import { findFreePorts } from '../../src/sandbox/ports.ts';
import { recordedPorts } from '../../src/sandbox/state.ts';
import type { Estate, Product } from './estate.ts';
import { startEtcd } from './etcd.ts';
import { killEverythingIn } from './host-death.ts';
import { connect, MemberWriter } from './member-writer.ts';
import { PATRONI_PACE, patroniConfig, type PatroniMember } from './patroni-config.ts';
import { Workshop } from './workshop.ts';

const PROGRAM = '/usr/bin/patroni';
const ETCD_PORTS = 6;
const READY_MS = 90_000;
const POLL_MS = 150;
const LOG_LINES = 4;
const LINE_LENGTH_MAX = 140;
/** Of its own lines, what says who leads and why not. */
const TELLING = /,\d{3} (ERROR: |INFO: (promoted|demoted|Could not|DCS))/;
const PROBE_TIMEOUT_MS = 2_000;

/** Two members, one leading and one its synchronous standby, and three etcd members. */
export const patroniProduct = (ttlS: number): Product => ({
  name: 'Patroni',
  includes:
    `the leader key running out (ttl ${ttlS} s, loop_wait ${PATRONI_PACE.loopWaitS} s, retry_timeout ${PATRONI_PACE.retryTimeoutS} s; quicker than its documentation allows), ` +
    'the race for it, the promotion of the synchronous standby, and one bare INSERT of a row over a connection that the client ' +
    'already has to the new leader; no routing and no check of what is written',
  open: (signal) => openPatroni(ttlS, signal),
});

async function openPatroni(ttlS: number, signal: AbortSignal): Promise<Estate> {
  const workshop = await Workshop.open();
  try {
    const ports = await findFreePorts(ETCD_PORTS + 4, await recordedPorts());
    const etcdPorts = await startEtcd(workshop, ports.slice(0, ETCD_PORTS), signal);
    const password = randomBytes(16).toString('hex');
    const members = await startMembers({
      workshop,
      ports: ports.slice(ETCD_PORTS),
      etcdPorts,
      ttlS,
      password,
    });
    const first = await awaitSynchronous(members, signal);
    const urlOf = ({ postgresPort }: PatroniMember) =>
      `postgresql://bench:${password}@127.0.0.1:${postgresPort}/postgres`;
    await createTable(urlOf(first));
    const writers = members.map((member) => new MemberWriter(urlOf(member)));
    return {
      writers: writers.map(({ write }) => write),
      killLeader: async () => killEverythingIn((await awaitSynchronous(members, signal)).home),
      account: () => lastWords(members),
      close: async () => {
        for (const writer of writers) writer.close();
        await workshop.close();
      },
    };
  } catch (error) {
    await workshop.close();
    throw error;
  }
}

interface StartOptions {
  readonly workshop: Workshop;
  readonly ports: readonly number[];
  readonly etcdPorts: readonly number[];
  readonly ttlS: number;
  readonly password: string;
}

async function startMembers({ workshop, ports, ...options }: StartOptions): Promise<PatroniMember[]> {
  const { binDir } = await findPostgresBinaries();
  const members: PatroniMember[] = [];
  for (const [index, name] of ['p1', 'p2'].entries()) {
    const home = await workshop.home(name);
    const member = { name, home, postgresPort: ports[2 * index] ?? 0, restPort: ports[2 * index + 1] ?? 0 };
    const file = join(home, 'patroni.yaml');
    await workshop.write(file, patroniConfig({ ...options, member, binDir }));
    await workshop.start(home, PROGRAM, [file]);
    members.push(member);
  }
  return members;
}

interface ClusterAnswer {
  readonly members?: readonly { readonly name: string; readonly role: string; readonly state: string }[];
}

/** Waits until one member leads and the other is its synchronous standby; answers the leader. */
async function awaitSynchronous(
  members: readonly PatroniMember[],
  signal: AbortSignal,
): Promise<PatroniMember> {
  const deadline = performance.now() + READY_MS;
  let seen: ClusterAnswer = {};
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    for (const { restPort } of members) {
      const response = await fetch(`http://127.0.0.1:${restPort}/cluster`, {
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      }).catch(() => undefined);
      if (response?.ok === true) seen = (await response.json()) as ClusterAnswer;
    }
    const running = seen.members?.filter(({ state }) => state === 'running' || state === 'streaming') ?? [];
    const leader = running.find(({ role }) => role === 'leader')?.name;
    if (leader !== undefined && running.some(({ role }) => role === 'sync_standby')) {
      const found = members.find(({ name }) => name === leader);
      if (found !== undefined) return found;
    }
    await delay(POLL_MS);
  }
  throw new Error(`Patroni's members are not ready: ${JSON.stringify(seen)}`);
}

/** What each member logged last of the change of its leader. */
async function lastWords(members: readonly PatroniMember[]): Promise<string> {
  const tails = await Promise.all(
    members.map(async ({ name, home }) => {
      const lines = (await readFile(join(home, 'log'), 'utf8')).trimEnd().split('\n');
      const telling = lines.filter((line) => TELLING.test(line)).slice(-LOG_LINES);
      return telling.map((line) => `\n      ${name}  ${line.slice(0, LINE_LENGTH_MAX)}`).join('');
    }),
  );
  return tails.join('');
}

async function createTable(url: string): Promise<void> {
  const client = await connect(url, PROBE_TIMEOUT_MS);
  try {
    await client.query(
      'CREATE TABLE decision (token text PRIMARY KEY, decided_at timestamptz DEFAULT now())',
    );
  } finally {
    await client.end();
  }
}
