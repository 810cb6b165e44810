/** A gateway over real etcd and real Postgres, with the agent's part (authority, lease) played by the test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadContract } from '../../src/config/contract.ts';
import type { EstateConfig } from '../../src/config/estate-config.ts';
import { initEstate } from '../../src/controlplane/init.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { AuthorityRecord, ClaimRecord } from '../../src/domain/records.ts';
import { shardOf } from '../../src/domain/shard.ts';
import type { EtcdPort, Write } from '../../src/etcd/port.ts';
import { createKey } from '../../src/gateway/keys.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import { runGateway, type RunningGateway } from '../../src/gateway/run.ts';
import { startEtcd, type TestEtcd } from './etcd.ts';
import { HalfOpenProxy } from './half-open-proxy.ts';
import { SCOPE, startPostgres, startPostgresPair, type TestPair, type TestPostgres } from './postgres.ts';

export const LEADER = 'c1-leader';
export const FOLLOWER = 'c1-follower';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever document came, and its claim says which
  readonly body: any;
}

export interface GatewayEstateOptions {
  /** A synchronous follower beside the leader; else the leader is its own durable set. */
  readonly pair?: boolean;
  readonly contract?: (contract: Contract) => Contract;
  readonly projections?: NonNullable<EstateConfig['projections']>;
}

export class GatewayEstate {
  readonly etcd: TestEtcd;
  readonly kv: EtcdPort;
  readonly keys = new Keys('gateway-test');
  readonly leader: TestPostgres;
  readonly pair: TestPair | undefined;
  readonly proxy: HalfOpenProxy;
  readonly config: EstateConfig;
  readonly deskKey: string;
  readonly otherDeskKey: string;
  readonly operatorKey: string;
  readonly #folder: string;
  readonly #renewing: NodeJS.Timeout;
  #term = SCOPE.term;
  #renewals = 0;
  readonly #running: { abort: AbortController; gateway: RunningGateway }[] = [];

  private constructor(parts: {
    etcd: TestEtcd;
    kv: EtcdPort;
    leader: TestPostgres;
    pair: TestPair | undefined;
    proxy: HalfOpenProxy;
    config: EstateConfig;
    folder: string;
    keys: readonly [string, string, string];
  }) {
    this.etcd = parts.etcd;
    this.kv = parts.kv;
    this.leader = parts.leader;
    this.pair = parts.pair;
    this.proxy = parts.proxy;
    this.config = parts.config;
    this.#folder = parts.folder;
    [this.deskKey, this.otherDeskKey, this.operatorKey] = parts.keys;
    this.#renewing = setInterval(() => void this.#renew().catch(() => undefined), 700);
  }

  static async start({ pair = false, contract = (same) => same, projections }: GatewayEstateOptions = {}) {
    const folder = await mkdtemp(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'gateway-'));
    const [etcd, started] = await Promise.all([startEtcd(), pair ? startPostgresPair() : startPostgres()]);
    const both = 'leader' in started ? started : undefined;
    const leader = 'leader' in started ? started.leader : started;
    const proxy = await HalfOpenProxy.start(leader.port);
    const kv = await etcd.open();
    const made = [
      createKey({ desk: 'madrid-1', role: 'desk' }),
      createKey({ desk: 'new-york-1', role: 'desk' }),
      createKey({ desk: 'risk', role: 'operator' }),
    ] as const;
    const keysFile = join(folder, 'keys.json');
    await writeFile(keysFile, JSON.stringify(made.map(({ entry }) => entry)));
    const config = estateConfig({
      endpoints: [...etcd.endpoints],
      leaderPort: proxy.port,
      followerPort: both?.follower.port ?? leader.port,
      keysFile,
      passwordFile: join(folder, 'password'),
    });
    if (projections !== undefined) Object.assign(config, { projections });
    await writeFile(join(folder, 'password'), leader.passwordOf('gateway'));
    const estate = new GatewayEstate({
      etcd,
      kv,
      leader,
      pair: both,
      proxy,
      config,
      folder,
      keys: [made[0].key, made[1].key, made[2].key],
    });
    const budgets = contract(await loadContract(join(import.meta.dirname, '../../contract.yaml')));
    await initEstate({ etcd: kv, keys: estate.keys, config, contract: budgets, actor: 'test' });
    await estate.adopt(SCOPE.term);
    await estate.putCluster();
    return estate;
  }

  /** What a leader's agent does in Postgres: all shards of the map under a term. */
  async adopt(term: number): Promise<void> {
    const agent = await this.leader.connect('agent');
    const shards = Array.from({ length: 480 }, (_, shard) => ({
      shard,
      generation: SCOPE.generation,
      state: 'serving' as const,
    }));
    await adoptTerm(agent, { ...SCOPE, term, reason: 'test', shards });
    await agent.end();
  }

  /** What an agent would have recorded: an open authority, its members, the in-sync set, a lease. */
  async putCluster(authority: Partial<AuthorityRecord> = {}): Promise<void> {
    const now = new Date().toISOString();
    const record: AuthorityRecord = {
      term: SCOPE.term,
      leader: LEADER,
      phase: 'open',
      operation: null,
      prefix: null,
      since: now,
      ...authority,
    };
    const degraded = this.pair === undefined;
    await this.put({
      [this.keys.authority('c1')]: record,
      [this.keys.membership('c1')]: {
        epoch: SCOPE.epoch,
        members: {
          [LEADER]: { region: 'new-york', role: 'voter' },
          [FOLLOWER]: { region: 'new-york', role: 'voter' },
          'c1-remote': { region: 'madrid', role: 'observer' },
        },
      },
      [this.keys.inSync('c1')]: {
        term: record.term,
        epoch: SCOPE.epoch,
        voters: degraded ? [] : [{ member: FOLLOWER, incarnation: 'i1' }],
        required: degraded ? 0 : 1,
        degraded,
        since: now,
      },
    });
    this.#term = record.term;
    await this.#renew();
  }

  /** The leader's agent renews; a gateway that hears nothing of it calls the cluster not ready. */
  async #renew(): Promise<void> {
    this.#renewals += 1;
    await this.put({
      [this.keys.lease('c1')]: {
        term: this.#term,
        leader: LEADER,
        grantId: 'g',
        sequence: this.#renewals,
        ttlMs: 3_000,
        renewedAt: new Date().toISOString(),
      },
    });
  }

  async putClaim(claim: Partial<ClaimRecord>): Promise<void> {
    const now = new Date().toISOString();
    await this.put({
      [this.keys.claim('c1')]: {
        term: SCOPE.term,
        status: 'advertised',
        reason: null,
        budgetMs: 5_000,
        lagMs: 120,
        validUntil: new Date(Date.now() + 60_000).toISOString(),
        action: 'degrade',
        decisionsPerSecond: null,
        changedAt: now,
        changedBecause: 'the remote follower is near',
        at: now,
        ...claim,
      },
    });
  }

  async put(records: Readonly<Record<string, unknown>>): Promise<void> {
    const writes = Object.entries(records).map(([key, value]): Write => ({
      kind: 'put',
      key,
      value: JSON.stringify(value),
    }));
    await this.kv.transact([], writes);
  }

  /** One more gateway. Its calls carry the first desk's key unless told otherwise. */
  async gateway(): Promise<GatewayClient> {
    const abort = new AbortController();
    const logger = pino({ level: process.env['GATEWAY_LOG'] ?? 'silent' });
    const gateway = await runGateway({
      config: this.config,
      gateway: 'new-york',
      signal: abort.signal,
      logger,
    });
    this.#running.push({ abort, gateway });
    return new GatewayClient(this, gateway, abort);
  }

  async stop(): Promise<void> {
    clearInterval(this.#renewing);
    for (const { abort } of this.#running) abort.abort();
    await Promise.all(this.#running.map(({ gateway }) => gateway.closed));
    this.kv.close();
    await this.proxy.stop();
    await Promise.all([this.etcd.stop(), this.pair?.stop() ?? this.leader.stop()]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export class GatewayClient {
  readonly url: string;
  readonly closed: Promise<void>;
  readonly #estate: GatewayEstate;
  readonly #abort: AbortController;

  constructor(estate: GatewayEstate, gateway: RunningGateway, abort: AbortController) {
    this.#estate = estate;
    this.url = gateway.url;
    this.closed = gateway.closed;
    this.#abort = abort;
  }

  stop(): void {
    this.#abort.abort();
  }

  async call(
    method: string,
    path: string,
    { body, key, headers }: { body?: unknown; key?: string; headers?: Record<string, string> } = {},
  ): Promise<Reply> {
    const reply = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${key ?? this.#estate.deskKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await reply.text();
    const json = reply.headers.get('content-type')?.includes('json') === true;
    return { status: reply.status, headers: reply.headers, text, body: json ? JSON.parse(text) : undefined };
  }

  reserve(fields: Record<string, unknown>, key?: string): Promise<Reply> {
    const body = { issuer_id: ISSUER, notional: '10.00', ...fields };
    return this.call('POST', '/reservations', key === undefined ? { body } : { body, key });
  }

  setLimit(issuer: string, limit: string, token = `limit-${issuer}-${limit}`): Promise<Reply> {
    const body = { limit, reservation_token: token };
    return this.call('PUT', `/issuers/${issuer}/limit`, { body, key: this.#estate.operatorKey });
  }

  token(token: string, issuer: string | null = ISSUER): Promise<Reply> {
    return this.call('GET', `/reservation-tokens/${token}${issuer === null ? '' : `?issuer_id=${issuer}`}`);
  }

  settle(token: string, issuer = ISSUER): Promise<Reply> {
    const body = { issuer_id: issuer };
    return this.call('POST', `/reservation-tokens/${token}/settle`, { body, key: this.#estate.operatorKey });
  }
}

/** The issuer of the specification: shard 184 of 480, which every test database has open. */
export const ISSUER = 'MUNI-77';

/** Issuers of one shard; tests that share a database each take their own. */
export function issuersOf(shard: number, count: number): readonly string[] {
  const found: string[] = [];
  for (let number = 0; found.length < count; number += 1) {
    const issuer = `ISS-${number}`;
    if (shardOf(issuer, 480) === shard) found.push(issuer);
  }
  return found;
}

const memberAt = (port: number) => ({
  region: 'new-york',
  role: 'voter' as const,
  dataDir: '/nowhere',
  listen: `127.0.0.1:${port}`,
  address: { default: `127.0.0.1:${port}` },
});

function estateConfig(parts: {
  endpoints: string[];
  leaderPort: number;
  followerPort: number;
  keysFile: string;
  passwordFile: string;
}): EstateConfig {
  const secret = { file: parts.passwordFile };
  return {
    source: 'capstan.yaml',
    estate: 'gateway-test',
    etcd: { endpoints: { default: parts.endpoints } },
    postgres: {
      database: 'capstan',
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
    clusters: {
      c1: {
        homeRegion: 'new-york',
        bootstrapMember: LEADER,
        members: { [LEADER]: memberAt(parts.leaderPort), [FOLLOWER]: memberAt(parts.followerPort) },
      },
    },
    projectors: {},
    gateways: {
      'new-york': {
        region: 'new-york',
        listen: '127.0.0.1:0',
        keysFile: parts.keysFile,
        url: 'http://127.0.0.1:1',
      },
    },
  };
}
