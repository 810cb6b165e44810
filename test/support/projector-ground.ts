/** A cluster of a leader and its follower, and a projections' database: what a tail lives on, with no etcd. */
import type { Client } from 'pg';
import { systemClock } from '../../src/clock/system-clock.ts';
import { Wake } from '../../src/clock/wake.ts';
import type { EstateConfig } from '../../src/config/estate-config.ts';
import { BoundedStore } from '../../src/projections/bounded-store.ts';
import { readWholeLog } from '../../src/projections/log-pages.ts';
import { LogSource } from '../../src/projections/log-source.ts';
import { PostgresStore } from '../../src/projections/postgres-store.ts';
import { type RebuildOutcome, RebuildQueue } from '../../src/projections/rebuild-queue.ts';
import type { Source, Sources } from '../../src/projections/sources.ts';
import type { Applied, ProjectionStore } from '../../src/projections/store-port.ts';
import { ClusterTail, type Work } from '../../src/projections/tail.ts';
import { type ShardVerified, verifyShard } from '../../src/projections/verify/verify-shard.ts';
import { beat, readHeadsToBeat } from '../../src/reservations/heartbeat-sql.ts';
import { SCOPE, startPostgresPair, TEST_SHARDS, type TestPair, waitUntil } from './postgres.ts';
import { startProjections, type TestProjections } from './projections.ts';

export const LEADER: Source = { member: 'leader', kind: 'leader', soleVoter: false };
export const FOLLOWER: Source = { member: 'follower', kind: 'in-sync', soleVoter: true };
const CLUSTER = { cluster: SCOPE.cluster, epoch: SCOPE.epoch, term: SCOPE.term };
const DEADLINE = { deadlineMs: 10_000 };
const WAIT_MS = 60_000;

export interface TailOptions {
  readonly name?: string;
  readonly members?: readonly Source[];
  readonly store?: (real: ProjectionStore) => ProjectionStore;
  readonly source?: (real: LogSource) => LogSource;
  readonly deadlineMs?: number;
  readonly shards?: readonly number[];
}

export interface RunningTail {
  readonly tail: ClusterTail;
  readonly found: { readonly shard: number; readonly kind: Applied['kind'] }[];
  readonly rebuilt: RebuildOutcome[];
  readonly troubles: { readonly member: string; readonly why: string }[];
  work: Work;
  stop(): Promise<void>;
}

export class ProjectorGround {
  readonly pair: TestPair;
  readonly projections: TestProjections;
  readonly gateway: Client;
  reader: Client;
  readonly #agent: Client;
  readonly #beating: NodeJS.Timeout;
  readonly #tails: RunningTail[] = [];
  /** A further member that can be asked at another address. */
  readonly #addresses: Map<string, string>;

  private constructor(parts: {
    pair: TestPair;
    projections: TestProjections;
    gateway: Client;
    agent: Client;
    reader: Client;
  }) {
    this.pair = parts.pair;
    this.projections = parts.projections;
    this.gateway = parts.gateway;
    this.reader = parts.reader;
    this.#agent = parts.agent;
    this.#addresses = new Map([
      ['leader', `${parts.pair.leader.host}:${parts.pair.leader.port}`],
      ['follower', `${parts.pair.follower.host}:${parts.pair.follower.port}`],
    ]);
    let beating = false;
    this.#beating = setInterval(() => {
      if (beating) return;
      beating = true;
      void this.#beat().finally(() => (beating = false));
    }, 100);
  }

  static async start(): Promise<ProjectorGround> {
    const [pair, projections] = await Promise.all([startPostgresPair(), startProjections()]);
    const [gateway, agent, reader] = await Promise.all([
      pair.leader.connect('gateway'),
      pair.leader.connect('agent'),
      projections.postgres.connect('superuser', { database: 'capstan_projections' }),
    ]);
    return new ProjectorGround({ pair, projections, gateway, agent, reader });
  }

  /** After the projections' Postgres was started anew. */
  async reconnect(): Promise<void> {
    this.reader = await this.projections.postgres.connect('superuser', { database: 'capstan_projections' });
  }

  /** Has the projection of the shard hold a decision that its log never had: what a failover with loss leaves. */
  async plantLostDecision(position: number): Promise<void> {
    const source = this.source(5_000);
    const store = await PostgresStore.open(this.projections.poolOptions('projector'));
    try {
      const { generations, sources } = this.#work([LEADER], [SCOPE.shard]);
      const shards = [...generations].map(([shard, generation]) => ({
        shard,
        generation,
        after: String(position - 2),
      }));
      const [log] = (await source.ask(sources, { shards, entriesMax: 10 }))?.logs ?? [];
      const last = log?.entries[0];
      if (log === undefined || last === undefined) throw new Error('the leader shows no log');
      const lost = { ...last, position: String(position), token: 'lost', reservation: 'r-lost' };
      const head = String(position);
      const planted = { ...log, head, bound: head, previous: last, entries: [lost] };
      const applied = await store.apply({ cluster: 'c1', log: planted, asOf: null, source: 'p1/c1' });
      if (applied.kind !== 'applied') throw new Error(JSON.stringify(applied));
    } finally {
      await store.close();
      source.close();
    }
  }

  address(member: string, address: string): void {
    this.#addresses.set(member, address);
  }

  async stop(): Promise<void> {
    clearInterval(this.#beating);
    await Promise.all(this.#tails.map((tail) => tail.stop()));
    await this.projections.stop();
    await this.pair.stop();
  }

  /** Follows the shards until it is stopped. */
  tail({
    name = 'p1',
    members = [FOLLOWER, LEADER],
    store: wrapStore = (real) => real,
    source: wrapSource = (real) => real,
    deadlineMs = 5_000,
    shards = TEST_SHARDS,
  }: TailOptions = {}): RunningTail {
    const stopping = new AbortController();
    const wake = new Wake(systemClock);
    const running = {
      found: [] as RunningTail['found'],
      rebuilt: [] as RebuildOutcome[],
      troubles: [] as RunningTail['troubles'],
      work: this.#work(members, shards),
    };
    const bounded = new BoundedStore({
      open: () => PostgresStore.open(this.projections.poolOptions('projector')),
      deadlineMs: 5_000,
      rebuildDeadlineMs: 30_000,
    });
    const store = wrapStore(bounded);
    const source = wrapSource(this.source(deadlineMs, (trouble) => running.troubles.push(trouble)));
    const rebuilds = new RebuildQueue({
      cluster: SCOPE.cluster,
      by: `projector ${name}`,
      store,
      source: this.source(deadlineMs),
      target: () => ({ sources: running.work.sources, generation: SCOPE.generation }),
      onEnd: (outcome) => {
        running.rebuilt.push(outcome);
        wake.call();
      },
    });
    const tail = new ClusterTail({
      cluster: SCOPE.cluster,
      name: `${name}/c1`,
      store,
      source,
      rebuilds,
      work: () => running.work,
      wake,
      pace: { everyMs: 10, idleEveryMs: 50 },
      onFound: (shard, { kind }) => running.found.push({ shard, kind }),
    });
    const run = tail.run(stopping.signal);
    const handle: RunningTail = Object.assign(running, {
      tail,
      stop: async () => {
        stopping.abort();
        await run;
        source.close();
        await rebuilds.close();
        await bounded.close();
      },
    });
    this.#tails.push(handle);
    return handle;
  }

  source(deadlineMs: number, onTrouble?: (trouble: { member: string; why: string }) => void): LogSource {
    return new LogSource({
      config: this.#config(),
      region: 'here',
      applicationName: 'test-projector',
      deadlineMs,
      ...(onTrouble === undefined ? {} : { onTrouble }),
    });
  }

  /** Waits until the projection of a shard stands where its log ends. */
  async caughtUp(shard: number = SCOPE.shard): Promise<string> {
    const leader = await this.pair.leader.connect('superuser');
    const { rows } = await leader.query<{ position: string }>(
      'select position from capstan.shard_head where shard_id = $1',
      [shard],
    );
    await leader.end();
    const head = rows[0]?.position ?? '0';
    await waitUntil(
      `shard ${shard} stands at ${head}`,
      async () => {
        const at = await this.watermark(shard);
        return at?.position === head && at.state === 'live';
      },
      WAIT_MS,
    );
    return head;
  }

  async watermark(shard: number = SCOPE.shard) {
    const { rows } = await this.reader.query<{
      position: string;
      state: string;
      rebuilds: number;
      asOf: Date | null;
    }>(
      `select w.position, w.state, w.rebuilds, greatest(w.as_of, m.as_of) as "asOf"
        from projection.watermark w left join projection.source_mark m on m.source = w.source where w.shard_id = $1`,
      [shard],
    );
    return rows[0];
  }

  /** Whether the projection is the fold of the leader's log. */
  async verified(shard: number = SCOPE.shard): Promise<ShardVerified> {
    const source = this.source(5_000);
    try {
      const target = { sources: this.#work([LEADER], [shard]).sources, generation: SCOPE.generation };
      const { pages } = await readWholeLog({ shard, source, target: () => target });
      return await verifyShard({ client: this.reader, shard, pages, differencesMax: 5 });
    } finally {
      source.close();
    }
  }

  #work(members: readonly Source[], shards: readonly number[]): Work {
    const sources: Sources = { scope: CLUSTER, members };
    return { sources, generations: new Map(shards.map((shard) => [shard, SCOPE.generation])) };
  }

  async #beat(): Promise<void> {
    const read = await readHeadsToBeat(this.#agent, CLUSTER, { due: true }, DEADLINE);
    if (read.kind === 'read' && read.at !== null) {
      await beat(this.#agent, CLUSTER, { ...read, at: read.at }, DEADLINE);
    }
  }

  #config(): EstateConfig {
    process.env['TEST_READER_PASSWORD'] = this.pair.leader.passwordOf('reader');
    const secret = { env: 'TEST_READER_PASSWORD' };
    const memberAt = (address: string) => ({
      region: 'here',
      role: 'voter' as const,
      dataDir: '/nowhere',
      listen: address,
      address: { default: address },
    });
    const members = Object.fromEntries(
      [...this.#addresses].map(([member, address]) => [member, memberAt(address)]),
    );
    return {
      source: 'capstan.yaml',
      estate: 'test',
      etcd: { endpoints: { default: [] } },
      postgres: {
        database: this.pair.leader.database,
        osUser: 'postgres',
        tls: { mode: 'disable' },
        passwords: {
          superuser: secret,
          replication: secret,
          gateway: secret,
          app: secret,
          agent: secret,
          operator: secret,
          reader: secret,
        },
      },
      contract: 'contract.yaml',
      clusters: { c1: { homeRegion: 'here', bootstrapMember: 'leader', members } },
      gateways: {},
      projectors: {},
    };
  }
}
