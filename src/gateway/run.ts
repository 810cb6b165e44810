import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { EstateConfig, GatewayConfig } from '../config/estate-config.ts';
import type { EstateView } from '../controlplane/estate-snapshot.ts';
import { type EstateWatch, watchEstate } from '../controlplane/estate-watch.ts';
import { Keys } from '../controlplane/keys.ts';
import { projectionsConnectOptions } from '../projections/connect-options.ts';
import { ProjectionReader } from '../projections/reader.ts';
import { readReport } from '../controlplane/loss/report.ts';
import { type Contract, PROJECTION_BUDGETS_DEFAULT } from '../domain/contract.ts';
import { messageOf, unreachableError, usageError } from '../domain/errors.ts';
import { etcdFromConfig } from '../etcd/from-config.ts';
import { splitEndpoint } from '../postgres/connect-as.ts';
import type { Command } from '../reservations/types.ts';
import { type Answer, refusedAnswer, UNKNOWN } from './answer.ts';
import { Batcher } from './batcher.ts';
import type { Permit } from './sending.ts';
import { DecisionSender } from './decision-sender.ts';
import { FollowerConnections } from './follower-connections.ts';
import { KeyFile } from './key-file.ts';
import { Grants } from './grants.ts';
import { LeaderConnections } from './leader-connections.ts';
import { LeaseObserver } from './lease-observer.ts';
import { LossBook } from './loss-book.ts';
import { GatewayMetrics } from './metrics.ts';
import { RouteTable, type ShardRoute } from './route-table.ts';
import { buildServer } from './server.ts';
import { Throttle } from './throttle.ts';
import { UnknownResolver } from './unknown-resolver.ts';

/** How long a gateway that starts before its estate waits for it. */
const ESTATE_TIMEOUT_MS = 60_000;

const HANG_UP_EVERY_MS = 20;
const PROJECTION_CONNECTIONS_MAX = 6;
/** What this process holds at once, whatever each shard admits. */
const COMMANDS_MAX = 20_000;

export interface RunGatewayOptions {
  readonly config: EstateConfig;
  /** Its name in `config.gateways`. */
  readonly gateway: string;
  /** Aborting it stops the gateway gracefully: what is under way is answered, at the latest at its deadline. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export interface RunningGateway {
  /** Where it listens. */
  readonly url: string;
  /** Resolves when it has stopped and let go of everything. */
  readonly closed: Promise<void>;
}

/**
 * Runs one gateway until the signal aborts. Resolves once it accepts requests. Throws `gateway_unknown`, `keys_unreadable`,
 * `keys_invalid` (exit 2), `etcd_unreachable`, `listen_failed` (exit 7), and `wait_timed_out` when no estate appears.
 */
export async function runGateway(options: RunGatewayOptions): Promise<RunningGateway> {
  const { config, gateway, signal, logger } = options;
  const own = config.gateways[gateway];
  if (own === undefined) {
    throw usageError(`${config.source} has no gateway ${gateway}`, { code: 'gateway_unknown' });
  }
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    const keyFile = await KeyFile.open(own.keysFile, logger);
    closers.push(() => keyFile.close());
    const etcd = await etcdFromConfig(config, own.region);
    closers.push(() => etcd.close());
    const estateKeys = new Keys(config.estate);
    const live = await watchEstate({
      etcd,
      keys: estateKeys,
      onReport: (report) => logger.error({ report }, 'etcd said something that is not believed'),
      onBreak: (error) => logger.warn({ reason: messageOf(error) }, 'the watch of etcd broke'),
    });
    closers.push(() => live.close());
    const contract = await contractOf(live, signal);
    const losses = new LossBook({
      source: live,
      readReport: (operation) => readReport(etcd, estateKeys, operation),
    });
    closers.push(() => losses.close());
    const projections = await openProjections(options, own, contract);
    closers.push(() => projections?.close());
    const parts = assemble({ config, gateway, own, live, contract, logger });
    closers.push(() => parts.close());
    let stopping = false;
    const app = buildServer(
      {
        name: gateway,
        region: own.region,
        version: await packageVersion(),
        contract,
        losses,
        projections,
        keys: () => keyFile.ring,
        staleForMs: () => live.staleForMs(),
        stopping: () => stopping,
        ...parts,
      },
      logger,
    );
    const url = await listen(app, own.listen);
    logger.info({ gateway, region: own.region, url }, 'the gateway accepts requests');
    const stop = async () => {
      stopping = true;
      logger.info('the gateway stops');
      await drain(app, parts.batcher, contract.deadlines.decisionMs + 1_000);
      await closeAll();
    };
    return { url, closed: aborted(signal).then(stop) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Connections of its own, opened when somebody asks: what the projections are slow with holds up no decision. */
async function openProjections(
  { config, gateway }: RunGatewayOptions,
  { region }: GatewayConfig,
  contract: Contract,
): Promise<ProjectionReader | undefined> {
  if (config.projections === undefined) return undefined;
  const { readMs } = contract.deadlines;
  const options = await projectionsConnectOptions({
    config,
    role: 'projections_reader',
    region,
    applicationName: `capstan-gateway-${gateway}`,
    connectTimeoutMs: readMs,
    statementTimeoutMs: readMs,
    lockTimeoutMs: readMs,
  });
  return ProjectionReader.open({
    ...options,
    connectionsMax: PROJECTION_CONNECTIONS_MAX,
    deadlineMs: readMs,
    nowMs: () => Date.now(),
    clockSkewMaxMs: contract.liveness.clockSkewMaxMs,
    budgets: contract.projections ?? PROJECTION_BUDGETS_DEFAULT,
  });
}

async function contractOf(live: EstateWatch, signal: AbortSignal): Promise<Contract> {
  const view = await live.until(exists, { timeoutMs: ESTATE_TIMEOUT_MS, signal, what: 'an estate in etcd' });
  if (view.contract === undefined) throw new Error('unreachable: the view has a contract');
  return view.contract.value;
}

const exists = ({ estate, contract, map }: EstateView): boolean =>
  estate !== undefined && contract !== undefined && map !== undefined;

interface AssembleOptions {
  readonly config: EstateConfig;
  readonly gateway: string;
  readonly own: GatewayConfig;
  readonly live: EstateWatch;
  readonly contract: Contract;
  readonly logger: Logger;
}

/** Wires the decision path: routes, connections, batches, resolution. */
function assemble({ config, gateway, own, live, contract, logger }: AssembleOptions) {
  const routes = new RouteTable(live);
  const metrics = new GatewayMetrics();
  const leases = new LeaseObserver(live, contract);
  const reached = { config, region: own.region, applicationName: `capstan-gateway-${gateway}`, contract };
  const connections = new LeaderConnections(reached);
  const followers = new FollowerConnections(reached);
  const stopFollowing = live.onChange(({ clusters }) => {
    for (const [cluster, { authority, handoverRequest }] of clusters) {
      if (authority?.value.phase === 'open') connections.follow(cluster, authority.value.leader);
      connections.expect(cluster, handoverRequest?.value.target ?? null);
    }
  });
  const grants = new Grants(live, routes);
  const { resolve } = new UnknownResolver({
    routes,
    connections,
    sendAgain: (shard, ticket) => batcher.sendAgain(shard, ticket),
  });
  const { decisionMs } = contract.deadlines;
  const throttle = new Throttle({ source: live, rateOf: (cluster) => routes.paceOf(cluster), decisionMs });
  const granted = (route: ShardRoute) => grants.next(route);
  const sender = new DecisionSender({ routes, connections, metrics, logger, decisionMs, resolve, granted });
  const batcher = new Batcher<Command, Answer>({
    ...contract.admission,
    commandsMax: COMMANDS_MAX,
    deadlineMs: decisionMs,
    permit: (shard, wanted) => {
      const cluster = routes.routeOf(shard)?.scope.cluster;
      if (cluster === undefined) return NO_PERMIT;
      const permits = connections.permits(cluster);
      const paced = throttle.take(cluster, wanted);
      // The pace first: a batch that waits for it must not hold back another one.
      return paced === undefined ? permits.take() : both(paced, () => permits.take());
    },
    send: sender.send,
    onFull: (shard, full) =>
      refusedAnswer(
        'admission_full',
        `${full === 'shard' ? `shard ${shard}` : 'this gateway'} admits no more requests now`,
      ),
    onStopping: () => refusedAnswer('stopping', 'this gateway is stopping: use another one'),
    onDeadline: (shard, _command, progress) => {
      if (progress === 'sent') return UNKNOWN;
      const cluster = routes.routeOf(shard)?.scope.cluster;
      if (cluster === undefined || !throttle.isActing(cluster)) {
        return refusedAnswer('not_sent', `it could not be sent to the authority within ${decisionMs} ms`);
      }
      metrics.throttled(cluster);
      const detail = `the RPO gate of ${cluster} slows decisions: its turn did not come within ${decisionMs} ms`;
      return refusedAnswer('rpo_throttled', detail);
    },
  });
  metrics.observe({ routes, waiting: () => batcher.waiting, staleForMs: () => live.staleForMs() });
  const close = () => {
    stopFollowing();
    throttle.close();
    grants.close();
    leases.close();
    connections.close();
    followers.close();
  };
  return { routes, metrics, leases, connections, followers, batcher, close };
}

const NO_PERMIT: Permit = { release: () => undefined };

async function both(first: Promise<Permit>, second: () => Permit | Promise<Permit>): Promise<Permit> {
  const one = await first;
  const other = await second();
  return {
    ...one,
    release: (used) => {
      other.release(used);
      one.release(used);
    },
  };
}

async function listen(app: FastifyInstance, endpoint: string): Promise<string> {
  const { host, port } = splitEndpoint(endpoint);
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw unreachableError(`the gateway can't listen on ${endpoint}: ${messageOf(error)}`, {
      code: 'listen_failed',
      cause: error,
    });
  }
  const bound = app.server.address() as AddressInfo;
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** Stops accepting, answers what is under way, and hangs up on whoever is still there after the deadline. */
async function drain(
  app: FastifyInstance,
  batcher: Batcher<Command, Answer>,
  timeoutMs: number,
): Promise<void> {
  const done = new AbortController();
  const late = delay(timeoutMs, 'late', { signal: done.signal }).catch(() => 'done');
  const closed = app.close();
  // A kept-alive connection whose last request is answered would hold the server open.
  const hangUp = setInterval(() => app.server.closeIdleConnections(), HANG_UP_EVERY_MS);
  const answered = Promise.all([batcher.stop(), closed]).then(() => 'done');
  if ((await Promise.race([answered, late])) === 'late') {
    app.server.closeAllConnections();
    await closed;
  }
  clearInterval(hangUp);
  done.abort();
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
