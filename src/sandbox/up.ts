import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { loadEstateConfig } from '../config/estate-config.ts';
import { type ClusterView, listClusterViews } from '../controlplane/cluster-view.ts';
import { Keys } from '../controlplane/keys.ts';
import { CapstanError, refusedError, unknownError } from '../domain/errors.ts';
import { etcdReaderFromConfig } from '../etcd/from-config.ts';
import { createEstate } from './create-estate.ts';
import { placeFurtherMembers } from './add-member.ts';
import { clusterCondition, unprovedClaim } from './cluster-condition.ts';
import { withFileLock } from './file-lock.ts';
import { sandboxesFolder, sandboxLock, SandboxPaths } from './folders.ts';
import { prepareSandbox } from './prepare.ts';
import { awaitProjectors, bringProjectionsUp, daemonsOf } from './projections.ts';
import { seedIssuers } from './seed.ts';
import { awaitCondition, awaitEtcd, awaitLink, startProcesses } from './start.ts';
import {
  hasMemberLinks,
  hasProjections,
  memberNodesOf,
  PortName,
  portOf,
  readSandboxState,
  type SandboxState,
} from './state.ts';
import { CLUSTERS, ETCD_NODES, GATEWAY_NODES, LINK_NODE, MEMBER_NODES } from './topology.ts';

const LOCK_WAIT_MS = 15_000;
const VIEW_POLL_MS = 300;
const CLAIM_WAIT_MS = 10_000;
const PROBE_TIMEOUT_MS = 2_000;

export const UP_STEPS = [
  'prepare',
  'etcd',
  'estate',
  'clusters',
  'gateways',
  'projections',
  'seed',
  'claims',
] as const;
export type UpStep = (typeof UP_STEPS)[number];

export interface UpOptions {
  readonly name: string;
  readonly issuersFile?: string | undefined;
  readonly contractFile?: string | undefined;
  /** Delay of each way between regions; undefined: 0 for a new sandbox, as it is for an existing one. */
  readonly wanDelayMs?: number | undefined;
  /** Also carry what each member says to etcd and to the members beside it; undefined: no, or as it is for an existing one. */
  readonly memberLinks?: boolean | undefined;
  readonly timeoutMs: number;
  readonly actor: string;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: (step: UpStep, state: 'running' | 'done', detail?: string) => void;
}

export interface UpResult {
  readonly name: string;
  readonly changed: boolean;
  readonly created: boolean;
  /** Processes that this run started or woke. */
  readonly started: readonly string[];
  readonly issuers: number;
  readonly warnings: readonly string[];
  readonly state: SandboxState;
  readonly paths: SandboxPaths;
}

/**
 * Brings a sandbox up, or back up: what runs stays, what is missing is started. Killed at any moment, `up` goes on from
 * there and `down` cleans up. Throws CapstanErrors that name the process at fault (see start.ts), `sandbox_exists`
 * (exit 4) when it was made with another seed or contract, `sandbox_busy` (exit 4).
 */
export async function sandboxUp(options: UpOptions): Promise<UpResult> {
  const { name, signal } = options;
  await mkdir(sandboxesFolder(), { recursive: true, mode: 0o755 });
  const lock = { path: sandboxLock(name), waitMs: LOCK_WAIT_MS, what: `the sandbox ${name}` };
  try {
    return await withFileLock({ ...lock, ...(signal === undefined ? {} : { signal }) }, () =>
      bringUp(options),
    );
  } catch (error) {
    if (signal?.aborted !== true || error instanceof CapstanError) throw error;
    throw unknownError(`the sandbox ${name} is half up: stopped by a signal`, {
      code: 'interrupted',
      next: `capstan sandbox up --name ${name} goes on; capstan sandbox down --name ${name} leaves nothing of it`,
      cause: error,
    });
  }
}

async function bringUp(options: UpOptions): Promise<UpResult> {
  const { name, signal, onStep } = options;
  const paths = new SandboxPaths(name);
  const deadline = performance.now() + options.timeoutMs;
  const waiting = { paths, deadline, signal };

  onStep?.('prepare', 'running');
  const { state, created } = await stateFor(paths, options);
  onStep?.('prepare', 'done', paths.folder);

  onStep?.('etcd', 'running');
  await placeFurtherMembers(paths, state);
  const started = await startProcesses({ paths, state, nodes: [LINK_NODE, ...ETCD_NODES] });
  signal?.throwIfAborted();
  // Agents take a second to load; meanwhile etcd elects. They wait for their cluster to be created.
  started.push(...(await startProcesses({ paths, state, nodes: memberNodesOf(state) })));
  const projections = bringProjectionsUp({ ...waiting, state });
  // What goes wrong with it is told of where it is awaited.
  projections.catch(() => undefined);
  await Promise.all([awaitLink(waiting, state), awaitEtcd(waiting, { state, nodes: ETCD_NODES })]);
  onStep?.('etcd', 'done');

  onStep?.('estate', 'running');
  await createEstate(paths, options.actor);
  signal?.throwIfAborted();
  onStep?.('estate', 'done');

  onStep?.('clusters', 'running');
  started.push(...(await startProcesses({ paths, state, nodes: daemonsOf(state) })));
  const warnings = await awaitClusters(waiting, onStep);
  onStep?.('clusters', 'done');

  onStep?.('gateways', 'running');
  await awaitGateways(waiting, state);
  onStep?.('gateways', 'done');

  onStep?.('projections', 'running');
  started.push(...(await projections));
  if (hasProjections(state)) await awaitProjectors(waiting);
  onStep?.('projections', 'done');

  onStep?.('seed', 'running');
  const seed = await seedIssuers({
    ...waiting,
    state,
    onProgress: (done, total) => {
      if (done % 64 === 0) onStep?.('seed', 'running', `${done} of ${total} issuers`);
    },
  });
  onStep?.('seed', 'done', `${seed.issuers} issuers`);
  onStep?.('claims', 'running');
  warnings.push(...(await awaitClaims(waiting)));
  onStep?.('claims', 'done');
  if (seed.kept.length > 0) {
    warnings.push(`${seed.kept.length} issuers keep the limit that an earlier seed gave them`);
  }
  return {
    name,
    changed: created || started.length > 0 || seed.changed,
    created,
    started,
    issuers: seed.issuers,
    warnings,
    state,
    paths,
  };
}

async function stateFor(
  paths: SandboxPaths,
  { name, issuersFile, contractFile, wanDelayMs, memberLinks = false }: UpOptions,
): Promise<{ state: SandboxState; created: boolean }> {
  const existing = await readSandboxState(paths);
  if (existing === undefined) {
    const state = await prepareSandbox({
      paths,
      issuersFile,
      contractFile,
      wanDelayMs: wanDelayMs ?? 0,
      memberLinks,
    });
    return { state, created: true };
  }
  const fixed = [
    ...(issuersFile === undefined ? [] : ['--issuers']),
    ...(contractFile === undefined ? [] : ['--contract']),
    ...(wanDelayMs === undefined || wanDelayMs === existing.wanDelayMs ? [] : ['--wan']),
    ...(!memberLinks || hasMemberLinks(existing) ? [] : ['--member-links']),
  ];
  if (fixed.length === 0) return { state: existing, created: false };
  throw refusedError(
    `the sandbox ${name} exists already, and ${fixed.join(' and ')} count at its making only`,
    {
      code: 'sandbox_exists',
      next: `capstan sandbox up --name ${name} without them; or capstan sandbox down --name ${name} first${
        fixed.includes('--wan') ? '; or capstan sandbox link delay for the delay' : ''
      }`,
    },
  );
}

interface Waiting {
  readonly paths: SandboxPaths;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

async function awaitClusters(waiting: Waiting, onStep: UpOptions['onStep']): Promise<string[]> {
  let warnings: string[] = [];
  await withViews(waiting.paths, (read) =>
    awaitCondition({
      ...waiting,
      what: 'the clusters',
      needs: MEMBER_NODES,
      pollEveryMs: VIEW_POLL_MS,
      check: async () => {
        const views = await read();
        const conditions = CLUSTERS.map((plan) => clusterCondition(views.get(plan.name), plan));
        warnings = conditions.flatMap((condition) => condition.warnings);
        const missing = conditions.flatMap((condition) => condition.missing ?? []);
        if (missing.length > 0) onStep?.('clusters', 'running', missing.join(', '));
        return missing.length === 0 ? true : missing.join('; ');
      },
    }),
  );
  return warnings;
}

/** Waits for the RPO claims; one that can't be proved (a cut link) is a warning and no failure. */
async function awaitClaims({ paths, deadline, signal }: Waiting): Promise<string[]> {
  const until = Math.min(deadline, performance.now() + CLAIM_WAIT_MS);
  return withViews(paths, async (read) => {
    for (;;) {
      signal?.throwIfAborted();
      const views = await read();
      const missing = CLUSTERS.flatMap((plan) => unprovedClaim(views.get(plan.name), plan, Date.now()) ?? []);
      if (missing.length === 0 || performance.now() > until) return missing;
      await delay(VIEW_POLL_MS, undefined, signal === undefined ? {} : { signal });
    }
  });
}

async function withViews<T>(
  paths: SandboxPaths,
  use: (read: () => Promise<ReadonlyMap<string, ClusterView>>) => Promise<T>,
): Promise<T> {
  const config = await loadEstateConfig(paths.config);
  const keys = new Keys(config.estate);
  const etcd = await etcdReaderFromConfig(config);
  try {
    return await use(async () => {
      const views = await listClusterViews(etcd, keys);
      return new Map(views.map((view) => [view.name, view]));
    });
  } finally {
    etcd.close();
  }
}

function awaitGateways(waiting: Waiting, state: SandboxState): Promise<void> {
  return awaitCondition({
    ...waiting,
    what: 'the gateways',
    needs: GATEWAY_NODES,
    check: async () => {
      for (const { name } of GATEWAY_NODES) {
        const response = await fetch(`http://127.0.0.1:${portOf(state, PortName.gateway(name))}/readyz`, {
          signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
        }).catch(() => undefined);
        if (response?.ok !== true) return `${name} is not ready (${response?.status ?? 'no answer'})`;
      }
      return true;
    },
  });
}
