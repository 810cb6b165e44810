import { loadEstateConfig } from '../config/estate-config.ts';
import { type ClusterView, listClusterViews } from '../controlplane/cluster-view.ts';
import { Keys } from '../controlplane/keys.ts';
import { assertNever, messageOf } from '../domain/errors.ts';
import { etcdReaderFromConfig } from '../etcd/from-config.ts';
import type { SandboxPaths } from './folders.ts';
import { inspectProcesses, postgresStateOf, type ProcessState } from './inspect.ts';
import { LinkClient } from './link/client.ts';
import { isDisturbed, type LinkReport } from './link/link.ts';
import { PortName, portOf, type SandboxState } from './state.ts';
import type { Node } from './topology.ts';

const LINK_TIMEOUT_MS = 3_000;
const ETCD_TIMEOUT_MS = 1_500;

export interface ProcessStatus {
  readonly name: string;
  readonly kind: Node['kind'];
  readonly region: string | null;
  readonly state: ProcessState;
  readonly pid: number | null;
  readonly since: string | null;
  /** Null: it listens nowhere. */
  readonly port: number | null;
  /** A member's Postgres; null for anything else. */
  readonly postgres: 'running' | 'paused' | 'stopped' | null;
  /** What its agent says of a member, as etcd has it; null when nothing is known. */
  readonly memberState: string | null;
}

export interface SandboxStatus {
  readonly name: string;
  readonly folder: string;
  readonly createdAt: string;
  /** Every process runs, and nothing is paused. */
  readonly up: boolean;
  readonly processes: readonly ProcessStatus[];
  /** Links that are delayed, slowed or cut; null when the link process doesn't answer. */
  readonly disturbedLinks: readonly LinkReport[] | null;
  readonly warnings: readonly string[];
}

/** What runs, what doesn't and what is disturbed. Parts that can't be asked are null and named in a warning. */
export async function sandboxStatus(paths: SandboxPaths, state: SandboxState): Promise<SandboxStatus> {
  const warnings: string[] = [];
  const orNull = async <T>(what: string, reading: Promise<T>): Promise<T | null> =>
    reading.catch((error: unknown) => {
      warnings.push(`${what}: ${messageOf(error)}`);
      return null;
    });
  const [inspected, links, memberStates] = await Promise.all([
    inspectProcesses(paths),
    orNull('links are unknown', new LinkClient(paths, state).show(LINK_TIMEOUT_MS)),
    orNull("members' states are unknown", readMemberStates(paths)),
  ]);
  const processes = inspected.map((one): ProcessStatus => {
    const { node, daemon } = one;
    const port = portNameOf(node);
    return {
      name: node.name,
      kind: node.kind,
      region: node.kind === 'link' ? null : node.region,
      state: one.state,
      pid: daemon?.pid ?? null,
      since: daemon?.since ?? null,
      port: port === null ? null : portOf(state, port),
      postgres: node.kind === 'member' ? postgresStateOf(one) : null,
      memberState: memberStates?.get(node.name) ?? null,
    };
  });
  return {
    name: paths.name,
    folder: paths.folder,
    createdAt: state.createdAt,
    up: processes.every((one) => one.state === 'running' && isServing(one)),
    processes,
    disturbedLinks: links?.filter((link) => isDisturbed(link, state)) ?? null,
    warnings,
  };
}

/** A member that is in no membership keeps its Postgres down. */
const isServing = ({ postgres, memberState }: ProcessStatus): boolean =>
  postgres === null || postgres === 'running' || (postgres === 'stopped' && memberState === 'stopped');

function portNameOf(node: Node): string | null {
  switch (node.kind) {
    case 'etcd':
      return PortName.etcdClient(node.name);
    case 'member':
      return PortName.postgres(node.name);
    case 'gateway':
      return PortName.gateway(node.name);
    case 'link':
      return PortName.linkControl;
    case 'projections':
      return PortName.projections;
    case 'projector':
      return null;
    default:
      return assertNever(node);
  }
}

async function readMemberStates(paths: SandboxPaths): Promise<ReadonlyMap<string, string>> {
  const config = await loadEstateConfig(paths.config);
  const etcd = await etcdReaderFromConfig(config, undefined, ETCD_TIMEOUT_MS);
  try {
    const views = await listClusterViews(etcd, new Keys(config.estate));
    return new Map(
      views.flatMap((view) =>
        [...view.members.keys(), ...view.heartbeats.keys()].map((name) => [name, stateIn(view, name)]),
      ),
    );
  } finally {
    etcd.close();
  }
}

/** A heartbeat's key goes with its agent: without one the member is silent, whatever it said before. */
const stateIn = (view: ClusterView, member: string): string =>
  view.heartbeats.get(member)?.value.state ?? 'silent';
