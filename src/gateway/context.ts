import type { Contract } from '../domain/contract.ts';
import type { Command } from '../reservations/types.ts';
import type { Answer } from './answer.ts';
import type { Batcher } from './batcher.ts';
import type { FollowerConnections } from './follower-connections.ts';
import type { KeyRing } from './keys.ts';
import type { LeaseObserver } from './lease-observer.ts';
import type { LeaderConnections } from './leader-connections.ts';
import type { LossBook } from './loss-book.ts';
import type { ProjectionReader } from '../projections/reader.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { RouteTable } from './route-table.ts';

/** What the endpoints work with. */
export interface GatewayContext {
  readonly name: string;
  readonly region: string;
  readonly version: string;
  readonly routes: RouteTable;
  readonly batcher: Batcher<Command, Answer>;
  readonly connections: LeaderConnections;
  readonly followers: FollowerConnections;
  readonly leases: LeaseObserver;
  readonly losses: LossBook;
  /** Undefined: the estate keeps none. */
  readonly projections: ProjectionReader | undefined;
  readonly contract: Contract;
  readonly metrics: GatewayMetrics;
  /** The ring in force now: the file may have changed. */
  readonly keys: () => KeyRing;
  readonly staleForMs: () => number;
  readonly stopping: () => boolean;
}
