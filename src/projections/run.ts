import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { systemClock } from '../clock/system-clock.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import { type EstateWatch, watchEstate } from '../controlplane/estate-watch.ts';
import { Keys } from '../controlplane/keys.ts';
import type { Contract } from '../domain/contract.ts';
import { messageOf, usageError } from '../domain/errors.ts';
import { etcdFromConfig } from '../etcd/from-config.ts';
import { BoundedStore } from './bounded-store.ts';
import { projectionsConnectOptions } from './connect-options.ts';
import { Followers } from './followers.ts';
import { PostgresStore } from './postgres-store.ts';
import { Roll } from './roll.ts';
import { Sharing } from './sharing.ts';
import type { ProjectionStore } from './store-port.ts';

const ESTATE_TIMEOUT_MS = 60_000;
const REPORT_EVERY_MS = 3_000;
const CONNECT_MS = 2_000;
const STATEMENT_MS = 10_000;
const LOCK_MS = 2_000;
const CALL_MS = 12_000;
const REBUILD_MS = 900_000;
const CONNECTIONS_MAX = 10;

export interface RunProjectorOptions {
  readonly config: EstateConfig;
  /** Its name in `config.projectors`. */
  readonly projector: string;
  /** Aborting it stops the projector: what is being written is finished, and its shards are others' at once. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export interface RunningProjector {
  /** Resolves when it has stopped and let go of everything. */
  readonly closed: Promise<void>;
}

/**
 * Runs one projector until the signal aborts. Resolves once it follows the estate; it waits for a projections' database that doesn't
 * answer yet. Throws `projector_unknown`, `projections_missing`, `secret_missing` (exit 2), `etcd_unreachable` (exit 7), and
 * `wait_timed_out` when no estate appears.
 */
export async function runProjector(options: RunProjectorOptions): Promise<RunningProjector> {
  const { config, projector, signal, logger } = options;
  const own = config.projectors[projector];
  if (own === undefined) {
    throw usageError(`${config.source} has no projector ${projector}`, { code: 'projector_unknown' });
  }
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    const store = await storeOf(options, own.region);
    closers.push(() => store.close());
    const etcd = await etcdFromConfig(config, own.region);
    closers.push(() => etcd.close());
    const keys = new Keys(config.estate);
    const live = await watchEstate({
      etcd,
      keys,
      onReport: (report) => logger.error({ report }, 'etcd said something that is not believed'),
      onBreak: (error) => logger.warn({ reason: messageOf(error) }, 'the watch of etcd broke'),
    });
    closers.push(() => live.close());
    const contract = await contractOf(live, signal);
    const sharing = new Sharing(projector);
    const followers = new Followers({
      ...options,
      region: own.region,
      live,
      store,
      sharing,
      contract,
      etcd,
      keys,
    });
    const roll = await Roll.open({
      etcd,
      keys,
      name: projector,
      ttlMs: contract.liveness.heartbeatTtlMs,
      timeoutMs: contract.deadlines.etcdMs,
      onNames: (names) => {
        if (!sharing.live(names)) return;
        logger.info({ projectors: sharing.names }, 'the shards are shared anew');
        followers.changed();
      },
    });
    closers.push(() => roll.close());
    logger.info({ projector, region: own.region }, 'the projector follows the estate');
    return { closed: follow({ options, region: own.region, followers, roll, closeAll }) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function follow({
  options: { projector, signal, logger },
  region,
  followers,
  roll,
  closeAll,
}: {
  options: RunProjectorOptions;
  region: string;
  followers: Followers;
  roll: Roll;
  closeAll: () => Promise<void>;
}): Promise<void> {
  const startedAt = new Date().toISOString();
  const running = followers.run(signal);
  let silent = false;
  while (!signal.aborted) {
    const at = new Date().toISOString();
    const { process } = systemClock;
    try {
      await roll.report({ name: projector, region, process, startedAt, at, ...followers.figures() });
      silent = false;
    } catch (error) {
      if (!silent) logger.warn({ reason: messageOf(error) }, 'etcd doesn’t hear this projector');
      silent = true;
    }
    await delay(REPORT_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await running;
  await closeAll();
  logger.info('the projector has stopped');
}

/** The password is read at once, so that a configuration without it is told of at the start. */
async function storeOf({ config, projector }: RunProjectorOptions, region: string): Promise<ProjectionStore> {
  const open = async () => {
    const connection = await projectionsConnectOptions({
      config,
      role: 'projector',
      region,
      applicationName: `capstan-projector-${projector}`,
      connectTimeoutMs: CONNECT_MS,
      statementTimeoutMs: STATEMENT_MS,
      lockTimeoutMs: LOCK_MS,
    });
    return PostgresStore.open({ ...connection, connectionsMax: CONNECTIONS_MAX });
  };
  await (await open()).close();
  return new BoundedStore({ open, deadlineMs: CALL_MS, rebuildDeadlineMs: REBUILD_MS });
}

async function contractOf(live: EstateWatch, signal: AbortSignal): Promise<Contract> {
  const view = await live.until(({ contract, map }) => contract !== undefined && map !== undefined, {
    timeoutMs: ESTATE_TIMEOUT_MS,
    signal,
    what: 'an estate in etcd',
  });
  if (view.contract === undefined) throw new Error('unreachable: the view has a contract');
  return view.contract.value;
}
