/** What a move needs of the host that isn't asked of Postgres itself. */
export interface MoveGround {
  /** How this member's Postgres reaches another cluster's member for logical replication. */
  sourceOf(cluster: string, member: string, applicationName: string): Promise<string>;
  /** Where the data directory lies; undefined when the host doesn't say. */
  diskFreeBytes(): Promise<bigint | undefined>;
  /** The last error that made Postgres stop applying a subscription, from its log. */
  lastErrorOf(subscription: string): Promise<string | undefined>;
}
