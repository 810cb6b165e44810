import type { MemberRole } from '../domain/records.ts';

/** The sandbox's world: two regions that serve, and a witness that only votes in etcd. */
export const REGIONS = ['new-york', 'madrid', 'witness'] as const;
export type Region = (typeof REGIONS)[number];
export const isRegion = (name: string): name is Region => (REGIONS as readonly string[]).includes(name);
export type ServingRegion = Exclude<Region, 'witness'>;
export const SERVING_REGIONS: readonly ServingRegion[] = ['new-york', 'madrid'];

/** What a member's own link to etcd ends at, whichever of its members is asked. */
export const ETCD_END = 'etcd';

export interface EtcdNode {
  readonly kind: 'etcd';
  readonly name: string;
  readonly region: Region;
}

export interface MemberNode {
  readonly kind: 'member';
  readonly name: string;
  readonly region: ServingRegion;
  readonly cluster: string;
  readonly role: MemberRole;
}

export interface GatewayNode {
  readonly kind: 'gateway';
  readonly name: string;
  readonly region: ServingRegion;
}

export interface LinkNode {
  readonly kind: 'link';
  readonly name: 'link';
}

/** A Postgres of its own, that the projectors write. */
export interface ProjectionsNode {
  readonly kind: 'projections';
  readonly name: 'projections';
  readonly region: ServingRegion;
}

export interface ProjectorNode {
  readonly kind: 'projector';
  readonly name: string;
  readonly region: ServingRegion;
}

/** Something with a process, a log and a folder of its own, named in `capstan sandbox kill <process>`. */
export type Node = EtcdNode | MemberNode | GatewayNode | LinkNode | ProjectionsNode | ProjectorNode;

export interface ClusterPlan {
  readonly name: string;
  readonly homeRegion: ServingRegion;
  readonly members: readonly MemberNode[];
}

const member = (cluster: string, region: ServingRegion, rank: number, role: MemberRole): MemberNode => ({
  kind: 'member',
  name: `${cluster}-${region}-${rank}`,
  region,
  cluster,
  role,
});

/** Leader and synchronous follower at home, an asynchronous observer in the other region. */
const cluster = (name: string, homeRegion: ServingRegion, otherRegion: ServingRegion): ClusterPlan => ({
  name,
  homeRegion,
  members: [
    member(name, homeRegion, 1, 'voter'),
    member(name, homeRegion, 2, 'voter'),
    member(name, otherRegion, 1, 'observer'),
  ],
});

/** The next name in a cluster and region that isn't taken. */
export function nextMember(
  { name, homeRegion }: ClusterPlan,
  region: ServingRegion,
  taken: readonly MemberNode[],
): MemberNode {
  const role = region === homeRegion ? 'voter' : 'observer';
  for (let rank = 1; ; rank += 1) {
    const node = member(name, region, rank, role);
    if (!taken.some((one) => one.name === node.name)) return node;
  }
}

export const CLUSTERS: readonly ClusterPlan[] = [
  cluster('c1', 'new-york', 'madrid'),
  cluster('c2', 'madrid', 'new-york'),
];

export const LINK_NODE: LinkNode = { kind: 'link', name: 'link' };
export const ETCD_NODES: readonly EtcdNode[] = REGIONS.map((region) => ({
  kind: 'etcd',
  name: `etcd-${region}`,
  region,
}));
export const MEMBER_NODES: readonly MemberNode[] = CLUSTERS.flatMap(({ members }) => members);
export const GATEWAY_NODES: readonly GatewayNode[] = SERVING_REGIONS.map((region) => ({
  kind: 'gateway',
  name: `gateway-${region}`,
  region,
}));

export const PROJECTIONS_NODE: ProjectionsNode = {
  kind: 'projections',
  name: 'projections',
  region: 'new-york',
};
export const PROJECTOR_NODES: readonly ProjectorNode[] = SERVING_REGIONS.map((region) => ({
  kind: 'projector',
  name: `projector-${region}`,
  region,
}));

/** All processes that every sandbox has, in the order in which they start. */
export const NODES: readonly Node[] = [LINK_NODE, ...ETCD_NODES, ...MEMBER_NODES, ...GATEWAY_NODES];

/** What tails the log; a sandbox that an older version made has none of it. */
export const PROJECTION_NODES: readonly Node[] = [PROJECTIONS_NODE, ...PROJECTOR_NODES];
