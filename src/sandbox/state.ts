import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, refusedError } from '../domain/errors.ts';
import { isName } from '../domain/identifiers.ts';
import { sandboxesFolder, SandboxPaths } from './folders.ts';
import type { Route } from './link/route.ts';
import {
  ETCD_END,
  ETCD_NODES,
  GATEWAY_NODES,
  MEMBER_NODES,
  SERVING_REGIONS,
  type EtcdNode,
  type MemberNode,
  type Node,
  NODES,
  PROJECTION_NODES,
  PROJECTIONS_NODE,
  type ProjectionsNode,
  type ServingRegion,
} from './topology.ts';

/** What a sandbox fixes when it is made; who runs is recorded a file a process (daemon.ts). */
export interface SandboxState {
  readonly version: 1;
  readonly name: string;
  readonly createdAt: string;
  /** The delay of each way between regions that `link heal` goes back to. */
  readonly wanDelayMs: number;
  /** Port by use: see `portNames`. */
  readonly ports: Readonly<Record<string, number>>;
  /** Members that were made after the sandbox (`sandbox member add`). */
  readonly furtherMembers?: readonly MemberNode[];
}

/** Every member of a sandbox, those that were made later last. */
export const memberNodesOf = (
  state: Pick<SandboxState, 'furtherMembers'> | undefined,
): readonly MemberNode[] => [...MEMBER_NODES, ...(state?.furtherMembers ?? [])];

/** Every process of a sandbox; of one that has no state yet, those that a new one has. */
export const nodesOf = (
  state: Pick<SandboxState, 'furtherMembers' | 'ports'> | undefined,
): readonly Node[] => [
  ...NODES,
  ...(state === undefined || hasProjections(state) ? PROJECTION_NODES : []),
  ...(state?.furtherMembers ?? []),
];

/** The name of a port that a process listens on, or that a region uses to reach it through the link. */
export const PortName = {
  linkControl: 'link/control',
  etcdClient: (etcd: string) => `${etcd}/client`,
  etcdClientFrom: (etcd: string, from: string) => `${etcd}/client/from-${from}`,
  /** For one member alone, so that it can be cut off from etcd and the rest of its region not. */
  etcdClientOf: (etcd: string, member: string) => `${etcd}/client/of-${member}`,
  etcdPeer: (etcd: string) => `${etcd}/peer`,
  etcdPeerLink: (etcd: string) => `${etcd}/peer/link`,
  postgres: (member: string) => `${member}/postgres`,
  postgresFrom: (member: string, from: string) => `${member}/postgres/from-${from}`,
  /** For one follower of the same region alone. */
  postgresOf: (member: string, follower: string) => `${member}/postgres/of-${follower}`,
  gateway: (gateway: string) => `${gateway}/http`,
  projections: 'projections/postgres',
  projectionsFrom: (from: string) => `projections/postgres/from-${from}`,
} as const;

/** The ports that one more member of a sandbox needs. */
export const memberPortNames = (node: MemberNode, state: SandboxState): string[] => [
  PortName.postgres(node.name),
  ...othersOf(node).map((from) => PortName.postgresFrom(node.name, from)),
  ...(hasMemberLinks(state)
    ? [
        ...ownPortNames(node),
        ...peersOf(node, memberNodesOf(state)).flatMap((peer) => [
          PortName.postgresOf(node.name, peer.name),
          PortName.postgresOf(peer.name, node.name),
        ]),
      ]
    : []),
];

/** Whether it keeps projections: one that an older version made doesn't. */
export const hasProjections = (state: Pick<SandboxState, 'ports'>): boolean =>
  portIfAny(state, PortName.projections) !== undefined;

/** Whether each member has links of its own, to etcd and to the members beside it. */
export const hasMemberLinks = (state: Pick<SandboxState, 'ports'>): boolean =>
  MEMBER_NODES.flatMap(ownPortNames).every((name) => portIfAny(state, name) !== undefined);

/** By which a member reaches each etcd member on a link of its own. */
const ownPortNames = ({ name }: MemberNode): string[] =>
  ETCD_NODES.map((etcd) => PortName.etcdClientOf(etcd.name, name));

/** The members of the same cluster and region. */
export const peersOf = (node: MemberNode, all: readonly MemberNode[]): readonly MemberNode[] =>
  all.filter(
    ({ name, cluster, region }) => name !== node.name && cluster === node.cluster && region === node.region,
  );

/** Every port that a new sandbox needs. */
export function portNames({ memberLinks }: { readonly memberLinks: boolean }): string[] {
  return [
    PortName.linkControl,
    ...ETCD_NODES.flatMap(({ name }) => [PortName.etcdClient(name), PortName.etcdPeer(name)]),
    ...MEMBER_NODES.map(({ name }) => PortName.postgres(name)),
    ...GATEWAY_NODES.map(({ name }) => PortName.gateway(name)),
    ...ETCD_NODES.map(({ name }) => PortName.etcdPeerLink(name)),
    ...ETCD_NODES.flatMap((node) => othersOf(node).map((from) => PortName.etcdClientFrom(node.name, from))),
    ...MEMBER_NODES.flatMap((node) => othersOf(node).map((from) => PortName.postgresFrom(node.name, from))),
    PortName.projections,
    ...othersOf(PROJECTIONS_NODE).map(PortName.projectionsFrom),
    ...(memberLinks
      ? MEMBER_NODES.flatMap((node) => [
          ...ownPortNames(node),
          ...peersOf(node, MEMBER_NODES).map((peer) => PortName.postgresOf(node.name, peer.name)),
        ])
      : []),
  ];
}

const othersOf = ({ region }: EtcdNode | MemberNode | ProjectionsNode): ServingRegion[] =>
  SERVING_REGIONS.filter((from) => from !== region);

/** The recorded port of a use, if the sandbox was made with it. */
export const portIfAny = ({ ports }: Pick<SandboxState, 'ports'>, name: string): number | undefined =>
  ports[name];

/** The recorded port of a use. */
export function portOf(state: SandboxState, name: string): number {
  const port = state.ports[name];
  if (port === undefined) throw new Error(`the sandbox ${state.name} has no port ${name}`);
  return port;
}

/** Everything that crosses regions, and what a member says to etcd and to its followers, as the link process carries it. */
export function routesOf(state: SandboxState): Route[] {
  const route = (label: string, from: string | null, to: string, listen: string, target: string): Route => ({
    label,
    from,
    to,
    listenPort: portOf(state, listen),
    targetPort: portOf(state, target),
  });
  return [
    ...ETCD_NODES.map(({ name, region }) =>
      route(`${name} peers`, null, region, PortName.etcdPeerLink(name), PortName.etcdPeer(name)),
    ),
    ...ETCD_NODES.flatMap((node) =>
      othersOf(node).map((from) =>
        route(
          `${node.name} clients`,
          from,
          node.region,
          PortName.etcdClientFrom(node.name, from),
          PortName.etcdClient(node.name),
        ),
      ),
    ),
    ...memberNodesOf(state).flatMap((node) =>
      othersOf(node).map((from) =>
        route(
          node.name,
          from,
          node.region,
          PortName.postgresFrom(node.name, from),
          PortName.postgres(node.name),
        ),
      ),
    ),
    ...(hasProjections(state)
      ? othersOf(PROJECTIONS_NODE).map((from) =>
          route(
            PROJECTIONS_NODE.name,
            from,
            PROJECTIONS_NODE.region,
            PortName.projectionsFrom(from),
            PortName.projections,
          ),
        )
      : []),
    ...memberRoutesOf(state),
  ];
}

/** Of a sandbox that was made without them: none. What goes to another region goes on by that region's route. */
function memberRoutesOf(state: SandboxState): Route[] {
  const members = memberNodesOf(state);
  const route = (from: string, to: string, listen: string, target: string): Route[] => {
    const listenPort = portIfAny(state, listen);
    const label = `${from} to ${to}`;
    return listenPort === undefined
      ? []
      : [{ label, from, to, listenPort, targetPort: portOf(state, target) }];
  };
  return members.flatMap((node) => [
    ...ETCD_NODES.flatMap((etcd) =>
      route(
        node.name,
        ETCD_END,
        PortName.etcdClientOf(etcd.name, node.name),
        etcd.region === node.region
          ? PortName.etcdClient(etcd.name)
          : PortName.etcdClientFrom(etcd.name, node.region),
      ),
    ),
    ...peersOf(node, members).flatMap((peer) =>
      route(node.name, peer.name, PortName.postgresOf(peer.name, node.name), PortName.postgres(peer.name)),
    ),
  ]);
}

/** The sandbox's state, or undefined when there is none of this name. */
export async function readSandboxState(paths: SandboxPaths): Promise<SandboxState | undefined> {
  let text: string;
  try {
    text = await readFile(paths.state, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as SandboxState;
  } catch (error) {
    throw refusedError(`${paths.state} can't be read: ${messageOf(error)}`, {
      code: 'sandbox_state_broken',
      next: `capstan sandbox down --name ${paths.name}`,
    });
  }
}

/** Throws CapstanError `sandbox_not_found` (exit 4) that names the sandboxes that exist. */
export async function requireSandboxState(paths: SandboxPaths): Promise<SandboxState> {
  const state = await readSandboxState(paths);
  if (state !== undefined) return state;
  const names = await sandboxNames();
  throw refusedError(`there is no sandbox ${JSON.stringify(paths.name)}`, {
    code: 'sandbox_not_found',
    next:
      names.length === 0
        ? 'capstan sandbox up'
        : `sandboxes: ${names.join(', ')} (choose one with --name), or capstan sandbox up`,
    data: { sandboxes: names },
  });
}

/** The names of all sandboxes of this state root, half-made ones too. */
export async function sandboxNames(environment?: NodeJS.ProcessEnv): Promise<string[]> {
  try {
    const entries = await readdir(sandboxesFolder(environment), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && isName(entry.name))
      .map(({ name }) => name)
      .toSorted();
  } catch {
    return [];
  }
}

/** Writes a JSON file in one step: a reader sees the former or the new one, never a part. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** The ports that other sandboxes have recorded, whether they run or not. */
export async function recordedPorts(): Promise<Set<number>> {
  const ports = new Set<number>();
  for (const name of await sandboxNames()) {
    const state = await readSandboxState(new SandboxPaths(name)).catch(() => undefined);
    for (const port of Object.values(state?.ports ?? {})) ports.add(port);
  }
  return ports;
}

/** The folder under which a sandbox's name reserves its ports. */
export const portsLock = (): string => join(sandboxesFolder(), '.ports.lock');
