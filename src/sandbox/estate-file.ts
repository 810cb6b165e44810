import { stringify } from 'yaml';
import { POSTGRES_ROLES, PROJECTIONS_SECRETS } from './secrets.ts';
import {
  hasProjections,
  memberNodesOf,
  peersOf,
  portIfAny,
  PortName,
  portOf,
  type SandboxState,
} from './state.ts';
import {
  CLUSTERS,
  ETCD_NODES,
  type EtcdNode,
  GATEWAY_NODES,
  type MemberNode,
  PROJECTIONS_NODE,
  PROJECTOR_NODES,
  SERVING_REGIONS,
  type ServingRegion,
} from './topology.ts';

/**
 * The sandbox's `capstan.yaml`: an estate like any other. Whoever stands in a region reaches the other regions through
 * the link's ports, and each member etcd and those that it follows through ports of its own; `default` (the command line) reaches everything directly, as an operator outside both would.
 */
export function estateYaml(state: SandboxState): string {
  return stringify(estateOf(state), { lineWidth: 0 });
}

function estateOf(state: SandboxState): unknown {
  return {
    estate: state.name,
    etcd: {
      endpoints: {
        default: etcdEndpoints(state),
        ...Object.fromEntries(SERVING_REGIONS.map((region) => [region, etcdEndpoints(state, region)])),
        ...Object.fromEntries(memberNodesOf(state).flatMap((member) => etcdOfMember(state, member))),
      },
    },
    postgres: {
      database: 'capstan',
      passwords: Object.fromEntries(POSTGRES_ROLES.map((role) => [role, { file: `secrets/${role}` }])),
    },
    contract: 'contract.yaml',
    clusters: Object.fromEntries(
      CLUSTERS.map(({ name, homeRegion, members }) => [
        name,
        {
          homeRegion,
          bootstrapMember: members[0]?.name,
          members: Object.fromEntries(
            memberNodesOf(state)
              .filter(({ cluster }) => cluster === name)
              .map((member) => [member.name, memberOf(state, member)]),
          ),
        },
      ]),
    ),
    gateways: Object.fromEntries(
      GATEWAY_NODES.map(({ name, region }) => {
        const listen = `127.0.0.1:${portOf(state, PortName.gateway(name))}`;
        return [region, { region, listen, keysFile: 'secrets/gateway-keys.json', url: `http://${listen}` }];
      }),
    ),
    ...(hasProjections(state) ? projectionsOf(state) : {}),
  };
}

function memberOf(state: SandboxState, node: MemberNode): unknown {
  const { name, region, role } = node;
  const listen = `127.0.0.1:${portOf(state, PortName.postgres(name))}`;
  const remote = SERVING_REGIONS.filter((from) => from !== region).map((from) => [
    from,
    `127.0.0.1:${portOf(state, PortName.postgresFrom(name, from))}`,
  ]);
  const near = peersOf(node, memberNodesOf(state)).flatMap((peer) => {
    const port = portIfAny(state, PortName.postgresOf(name, peer.name));
    return port === undefined ? [] : [[peer.name, `127.0.0.1:${port}`]];
  });
  return {
    region,
    role,
    dataDir: `run/${name}/data`,
    listen,
    address: { default: listen, ...Object.fromEntries([...remote, ...near]) },
  };
}

function projectionsOf(state: SandboxState): object {
  const remote = SERVING_REGIONS.filter((from) => from !== PROJECTIONS_NODE.region).map((from) => [
    from,
    `127.0.0.1:${portOf(state, PortName.projectionsFrom(from))}`,
  ]);
  return {
    projections: {
      address: {
        default: `127.0.0.1:${portOf(state, PortName.projections)}`,
        ...Object.fromEntries(remote),
      },
      passwords: Object.fromEntries(
        Object.entries(PROJECTIONS_SECRETS).map(([role, secret]) => [role, { file: `secrets/${secret}` }]),
      ),
    },
    projectors: Object.fromEntries(PROJECTOR_NODES.map(({ region }) => [region, { region }])),
  };
}

/** A member's own way to etcd, if the sandbox was made with it. */
function etcdOfMember(state: SandboxState, { name, region }: MemberNode): [string, string[]][] {
  const ports = nearestFirst(region).map((etcd) => portIfAny(state, PortName.etcdClientOf(etcd.name, name)));
  const known = ports.filter((port) => port !== undefined);
  return known.length < ports.length ? [] : [[name, known.map((port) => `http://127.0.0.1:${port}`)]];
}

const nearestFirst = (from: ServingRegion | undefined): readonly EtcdNode[] =>
  [...ETCD_NODES].toSorted((a, b) => Number(b.region === from) - Number(a.region === from));

/** The etcd members as a region reaches them, its own first. */
export function etcdEndpoints(state: SandboxState, from?: ServingRegion): string[] {
  return nearestFirst(from).map(({ name, region }) => {
    const port =
      from === undefined || region === from ? PortName.etcdClient(name) : PortName.etcdClientFrom(name, from);
    return `http://127.0.0.1:${portOf(state, port)}`;
  });
}
