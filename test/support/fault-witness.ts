/** Whether a fault is in force, seen by the command line, a desk or psql, and not by the fault itself. */
import { Client } from 'pg';
import { expect, vi } from 'vitest';
import { readViews } from '../../src/drills/faults/means/clusters.ts';
import type { InForce } from '../../src/drills/faults/types.ts';
import type { FaultGround } from './fault-ground.ts';
import { clusterState, postgresUrl } from './read-back.ts';
import type { TestSandbox } from './sandbox.ts';

export interface Witness {
  readonly sandbox: TestSandbox;
  readonly ground: FaultGround;
  readonly force: InForce;
  readonly before: Before;
}

interface ClusterBefore {
  readonly name: string;
  readonly leader: string;
  readonly term: number;
}

export interface Before {
  readonly clusters: ReadonlyMap<string, ClusterBefore>;
  /** Member -> when its server started. */
  readonly servers: ReadonlyMap<string, string>;
  readonly clock: string;
}

type Look = (witness: Witness) => Promise<void>;

interface ProcessSeen {
  readonly name: string;
  readonly state: string;
  readonly postgres: string | null;
}

export async function lookBefore(sandbox: TestSandbox, ground: FaultGround): Promise<Before> {
  const clusters = new Map<string, ClusterBefore>();
  const servers = new Map<string, string>();
  let clock = '';
  for (const [name, { authority }] of await readViews(ground)) {
    const { leader = null, term = 0 } = authority?.value ?? {};
    if (leader === null) throw new Error(`${name} has no leader`);
    clusters.set(name, { name, leader, term });
    servers.set(leader, await startOfServer(sandbox, leader));
    clock = await clockOf(sandbox, leader);
  }
  return { clusters, servers, clock };
}

/** The text of the fence's clock on a member. */
export const clockOf = (sandbox: TestSandbox, member: string): Promise<string> =>
  ask(
    sandbox,
    member,
    `select pg_get_functiondef('capstan.wall_clock()'::regprocedure)
    || coalesce(obj_description('capstan.wall_clock()'::regprocedure, 'pg_proc'), ' no comment')`,
  );

const startOfServer = (sandbox: TestSandbox, member: string): Promise<string> =>
  ask(sandbox, member, 'select pg_postmaster_start_time()::text');

async function ask(sandbox: TestSandbox, member: string, sql: string): Promise<string> {
  const client = new Client({
    connectionString: postgresUrl(sandbox, member, 'superuser'),
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return String(Object.values(rows[0] ?? {})[0]);
  } finally {
    await client.end();
  }
}

async function processesOf({ sandbox }: Witness): Promise<ReadonlyMap<string, ProcessSeen>> {
  const { result } = await sandbox.capstan<{ processes: ProcessSeen[] }>(['sandbox', 'status']);
  return new Map(result.data.processes.map((one) => [one.name, one]));
}

const targetIs =
  (state: string, postgres: string | null): Look =>
  async (witness) => {
    const seen = (await processesOf(witness)).get(witness.force.target);
    expect([seen?.state, seen?.postgres]).toEqual([state, postgres]);
  };

const detailOf = ({ force }: Witness, key: string): string => String(force.detail[key]);

const beforeOf = (witness: Witness): ClusterBefore => {
  const found = witness.before.clusters.get(detailOf(witness, 'cluster'));
  if (found === undefined) throw new Error(`no cluster ${detailOf(witness, 'cluster')}`);
  return found;
};

/** Another leader, one term later, while the old host is in this state. */
const failedOver =
  (state: string): Look =>
  async (witness) => {
    const old = beforeOf(witness);
    expect((await processesOf(witness)).get(old.leader)?.state).toBe(state);
    const now = await clusterState(witness.sandbox, old.name);
    expect([now.leader, now.term]).toEqual([detailOf(witness, 'successor'), old.term + 1]);
    expect(now.leader).not.toBe(old.leader);
  };

const anotherServer: Look = async ({ sandbox, force, before }) => {
  const { target } = force;
  const now = await startOfServer(sandbox, target).catch(() => 'none');
  expect(now).not.toBe(before.servers.get(target));
};

interface LinkSeen {
  readonly from: string;
  readonly to: string;
  readonly cut: string | null;
  readonly bytesPerSecond: number | null;
}

const links =
  (directions: number, is: (link: LinkSeen, witness: Witness) => boolean): Look =>
  async (witness) => {
    const { result } = await witness.sandbox.capstan<{ links: LinkSeen[] }>(['sandbox', 'link', 'show']);
    const disturbed = result.data.links.filter((link) => is(link, witness));
    expect(disturbed).toHaveLength(directions);
    for (const { from, to } of disturbed) {
      expect(witness.force.target).toContain(from);
      expect(witness.force.target).toContain(to);
    }
  };

/** A link of the old leader’s own is cut, and another member leads. */
const cutOff: Look = async (witness) => {
  const { result } = await witness.sandbox.capstan<{ links: LinkSeen[] }>(['sandbox', 'link', 'show']);
  const old = beforeOf(witness).leader;
  const cut = result.data.links.filter((link) => link.cut !== null);
  expect(cut.length).toBeGreaterThan(0);
  for (const { from, to } of cut) expect([from, to]).toContain(old);
  await failedOver('running')(witness);
};

const isCut = (link: LinkSeen, witness: Witness) => link.cut === witness.force.detail['cut'];

/** A desk's request through the switch gets no answer, and another region's does. */
const noAnswer: Look = async (witness) => {
  const region = detailOf(witness, 'region');
  const answered = async (one: string) =>
    fetch(`${witness.ground.desks.urlOf(one)}/livez`, { signal: AbortSignal.timeout(1_000) }).then(
      () => true,
      () => false,
    );
  for (const { region: one } of witness.ground.environment.gateways)
    expect([one, await answered(one)]).toEqual([one, one !== region]);
};

const etcdDown: Look = async (witness) => {
  const seen = await processesOf(witness);
  const how = detailOf(witness, 'how');
  if (how === 'move') return;
  for (const name of witness.force.target.split(', '))
    expect(seen.get(name)?.state).toMatch(how.startsWith('kill') ? 'stopped' : 'paused');
};

/** How each fault shows. */
export const OUTSIDE: Readonly<Record<string, Look>> = {
  'kill-leader': targetIs('stopped', 'stopped'),
  'kill-leader-failover': failedOver('stopped'),
  'kill-leader-ahead': failedOver('stopped'),
  'pause-leader': targetIs('paused', 'paused'),
  'pause-leader-failover': failedOver('paused'),
  // Its agent lives; whether its Postgres does is its own affair.
  'full-disk-failover': failedOver('running'),
  'cut-leader-etcd': cutOff,
  'cut-leader-etcd-one-way': cutOff,
  'cut-leader-follower': cutOff,
  'cut-leader-follower-one-way': cutOff,
  'fence-abort': async (witness) => {
    const { leader, phase } = await clusterState(witness.sandbox, witness.force.target);
    expect([leader, phase]).toEqual([null, 'fenced']);
  },
  'kill-backend': anotherServer,
  'kill-postgres': anotherServer,
  'kill-follower': targetIs('stopped', 'stopped'),
  'pause-follower': targetIs('paused', 'paused'),
  'kill-agent': targetIs('orphaned', 'running'),
  'pause-agent': targetIs('paused', 'running'),
  'kill-gateway': targetIs('stopped', null),
  'pause-gateway': targetIs('paused', null),
  'kill-etcd': targetIs('stopped', null),
  'pause-etcd': targetIs('paused', null),
  'etcd-leader': etcdDown,
  'etcd-quorum': etcdDown,
  'cut-link': links(2, isCut),
  'cut-link-one-way': links(1, isCut),
  'slow-link': links(2, ({ bytesPerSecond }) => bytesPerSecond !== null),
  'cut-leader-replies': links(1, isCut),
  'drop-replies': noAnswer,
  'half-open': noAnswer,
  'cancel-commit': async (witness) => {
    await targetIs('paused', 'paused')(witness);
    expect(witness.force.detail['cancelled']).toBeGreaterThan(0);
  },
  'clock-step': async ({ sandbox, force }) => {
    const offMs = await ask(
      sandbox,
      force.target,
      'select extract(epoch from capstan.wall_clock() - clock_timestamp()) * 1000',
    );
    expect(Math.abs(Number(offMs) - Number(force.detail['step_ms']))).toBeLessThan(500);
  },
  'kill-cli': async (witness) => {
    const { result } = await witness.sandbox.capstan<{ operation: { status: string } }>([
      'operation',
      'show',
      detailOf(witness, 'operation'),
    ]);
    expect(result.data.operation.status).toBe('running');
  },
  'stale-gateway': async (witness) => {
    const old = beforeOf(witness);
    const now = await clusterState(witness.sandbox, old.name);
    expect(now.term).toBe(old.term + (detailOf(witness, 'change') === 'failover' ? 1 : 2));
    const answers = () =>
      witness.ground.lines.flatMap((line) =>
        line.kind === 'ok' || line.kind === 'fail' || line.kind === 'info' ? [line] : [],
      );
    // At first it may hear that a lease has lapsed, or that admission is closed.
    const stale = await vi.waitFor(
      () => {
        const found = answers().findIndex(({ code }) => code === 'staleTerm');
        expect(found).toBeGreaterThan(0);
        return found;
      },
      { timeout: 30_000, interval: 50 },
    );
    expect(answers().filter(({ kind }) => kind === 'ok').length).toBeGreaterThan(2);
    expect(
      answers()
        .slice(stale)
        .filter(({ kind }) => kind === 'ok'),
    ).toEqual([]);
  },
};
