/** What a projector says of one cluster that it follows. */
export interface ClusterFigures {
  /** The member that it reads from; null: none answers. */
  readonly member: string | null;
  readonly kind: 'in-sync' | 'follower' | 'leader' | null;
  readonly shards: number;
  /** Up to when nothing that the cluster's log held is missing from any of these shards; null: something is left behind. */
  readonly asOf: string | null;
  /** Entries that the source holds and that are not applied yet. */
  readonly behind: string;
  /** Over the time between the last two reports. */
  readonly entriesPerSecond: number;
  readonly rebuilding: number;
  /** Shards that can't be followed now, and why, a few of them. */
  readonly troubles: readonly { readonly shard: number; readonly why: string }[];
}

/** In etcd, under a lease of the projector; src/controlplane/keys.ts. */
export interface ProjectorRecord {
  readonly name: string;
  readonly region: string;
  readonly process: string;
  readonly startedAt: string;
  readonly at: string;
  /** Why nothing is applied; null: the projections' database answers. */
  readonly database: string | null;
  readonly clusters: Readonly<Record<string, ClusterFigures>>;
}
