/** The simulated etcd and Postgres as subjects of the batteries. Their time goes on while something is awaited. */
import { Network } from '../network.ts';
import { SimHost, SimProcess } from '../process.ts';
import { Random } from '../random.ts';
import { Scheduler } from '../scheduler.ts';
import { SimConnection } from '../sim-client.ts';
import { NO_TROUBLE, SimEtcdClient } from '../sim-etcd-client.ts';
import { SimEtcd } from '../sim-etcd.ts';
import { emptyDisk, type SimEnvironment, SimPostgres } from '../sim-postgres.ts';
import { SimSession } from '../sim-session.ts';
import type { EtcdSubject } from './etcd-battery.ts';
import type { PostgresSubject } from './postgres-battery.ts';

const GIVE_UP_MS = 600_000;

/** Runs the scheduler until the work is over. */
async function drive<T>(scheduler: Scheduler, work: Promise<T>): Promise<T> {
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  await scheduler.run(scheduler.now + GIVE_UP_MS, () => over);
  if (!over) throw new Error('the simulated subject came to rest before the case was over');
  return work;
}

async function until(process: SimProcess, what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 1_000) throw new Error(`not in time: ${what}`);
    await process.clock.sleep(20);
  }
}

export function simulatedEtcd(seed: number) {
  const scheduler = new Scheduler(new Random(seed));
  const network = new Network(scheduler);
  const host = new SimHost(scheduler, { name: 'host', rate: 1, wallOffsetMs: 0 });
  const process = new SimProcess(scheduler, host, 'battery');
  const counts = { lostRequests: 0, lostReplies: 0, lateWrites: 0, repeatedWrites: 0 };
  const etcd = new SimEtcd(scheduler);
  const subject: EtcdSubject = {
    etcd: new SimEtcdClient({ process, etcd, network, trouble: { ...NO_TROUBLE }, counts }),
    breakConnections: async () => {
      const heal = [network.cut('host', 'etcd'), network.cut('etcd', 'host')];
      await process.clock.sleep(3_000);
      for (const one of heal) one();
    },
    until: (what, holds) => until(process, what, holds),
  };
  return { subject, clock: process.clock, drive: <T>(work: Promise<T>) => drive(scheduler, work) };
}

const NAMES = 'ANY 1 ("c1-follower")';

export function simulatedPostgres(seed: number) {
  const scheduler = new Scheduler(new Random(seed));
  const network = new Network(scheduler);
  const members = new Map<string, SimPostgres>();
  const environment: SimEnvironment = {
    scheduler,
    network,
    planted: undefined,
    postgresOf: (member) => members.get(member),
    observer: { appended: () => undefined, acknowledged: () => undefined, promoted: () => undefined },
  };
  const hostNamed = (name: string) => new SimHost(scheduler, { name, rate: 1, wallOffsetMs: 0 });
  const leader = new SimPostgres('leader', hostNamed('leader'), environment);
  const follower = new SimPostgres('follower', hostNamed('follower'), environment);
  members.set('leader', leader).set('follower', follower);
  const process = new SimProcess(scheduler, leader.host, 'agent');
  const caller = new SimProcess(scheduler, hostNamed('desk'), 'caller');
  const adopted = {
    lsn: 0x60,
    timeline: 1,
    by: 'leader',
    change: {
      kind: 'adopt',
      cluster: 'c1',
      epoch: 1,
      term: 1,
      reason: 'test',
      incarnation: null,
      shards: [183, 184, 185].map((shard) => ({ shard, generation: 1, state: 'serving' as const })),
    },
  } as const;
  for (const postgres of members.values())
    postgres.disk = {
      ...emptyDisk(),
      exists: true,
      system: 's',
      wal: [adopted],
      flushed: 1,
      syncNames: NAMES,
    };
  follower.disk.standbySignal = true;
  follower.disk.upstream = { member: 'leader', name: 'leader', as: 'c1-follower' };
  leader.start();
  follower.start();
  const answers = () =>
    leader.server?.mode === 'primary' &&
    leader.server.walsenders.rows.some(({ flushedLsn }) => flushedLsn !== null);
  const subject: PostgresSubject = {
    clock: process.clock,
    syncNames: NAMES,
    uuid: () => process.clock.uuid(),
    agent: async () => {
      await until(process, 'the pair answers', answers);
      const session = new SimSession({
        process,
        postgres: leader,
        purpose: 'a test',
        waits: false,
        timeoutMs: 10_000,
      });
      return { query: (text, values) => session.use((client) => client.query(text, values)) };
    },
    caller: async () => {
      await until(process, 'the pair answers', answers);
      return new SimConnection(caller, leader, environment);
    },
    pauseFollower: () => {
      const paused = follower.server?.process;
      paused?.pause();
      return Promise.resolve(() => paused?.resume());
    },
    restart: async (mode) => {
      if (mode === 'kill') leader.crash('killed');
      else leader.shutDown();
      await until(process, 'it has ended', () => leader.server === undefined);
      leader.start();
    },
  };
  return { subject, drive: <T>(work: Promise<T>) => drive(scheduler, work) };
}
