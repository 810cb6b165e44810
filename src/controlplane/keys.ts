import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

const SHARD_DIGITS = 6;

/** Every key of an estate, spelled in one place. Several estates can share an etcd: each has its own prefix. */
export class Keys {
  readonly name: string;
  readonly prefix: string;
  /**
   * Everything that daemons follow, under one prefix: one watch then sees each transaction whole and in order. What only
   * grows (history, operations, audit) lies outside it.
   */
  readonly live: string;

  constructor(estate: string) {
    if (!isName(estate)) {
      throw usageError(`estate: ${JSON.stringify(estate)} is not a name (${NAME_RULE})`, {
        code: 'name_invalid',
      });
    }
    this.name = estate;
    this.prefix = `/capstan/${estate}/`;
    this.live = `${this.prefix}live/`;
  }

  /** Names the `capstan init` that is under way; gone once the estate exists. */
  get initMarker(): string {
    return `${this.prefix}init`;
  }
  get estate(): string {
    return `${this.live}estate`;
  }
  get contract(): string {
    return `${this.live}contract`;
  }
  get map(): string {
    return `${this.live}map`;
  }
  get shards(): string {
    return `${this.live}shards/`;
  }
  shard(shard: number): string {
    return this.shards + String(shard).padStart(SHARD_DIGITS, '0');
  }
  get mapHistory(): string {
    return `${this.prefix}map-history/`;
  }
  mapChange(version: number): string {
    return this.mapHistory + String(version).padStart(12, '0');
  }
  get clusters(): string {
    return `${this.live}clusters/`;
  }
  cluster(cluster: string): string {
    return `${this.clusters}${cluster}/`;
  }
  clusterRecord(cluster: string): string {
    return `${this.cluster(cluster)}record`;
  }
  authority(cluster: string): string {
    return `${this.cluster(cluster)}authority`;
  }
  membership(cluster: string): string {
    return `${this.cluster(cluster)}membership`;
  }
  inSync(cluster: string): string {
    return `${this.cluster(cluster)}in-sync`;
  }
  lease(cluster: string): string {
    return `${this.cluster(cluster)}lease`;
  }
  claim(cluster: string): string {
    return `${this.cluster(cluster)}claim`;
  }
  /** The id of the operation that may change this cluster's authority; absent when there is none. */
  activeOperation(cluster: string): string {
    return `${this.cluster(cluster)}active-operation`;
  }
  /** The ids of operations that change a member's place, by member; each admits one. */
  memberOperations(cluster: string): string {
    return `${this.cluster(cluster)}member-operations/`;
  }
  memberOperation(cluster: string, member: string): string {
    return this.memberOperations(cluster) + member;
  }
  members(cluster: string): string {
    return `${this.cluster(cluster)}members/`;
  }
  member(cluster: string, member: string): string {
    return this.members(cluster) + member;
  }
  heartbeats(cluster: string): string {
    return `${this.cluster(cluster)}heartbeats/`;
  }
  heartbeat(cluster: string, member: string): string {
    return this.heartbeats(cluster) + member;
  }
  frozenReports(cluster: string): string {
    return `${this.cluster(cluster)}frozen/`;
  }
  frozenReport(cluster: string, member: string): string {
    return this.frozenReports(cluster) + member;
  }
  stopReports(cluster: string): string {
    return `${this.cluster(cluster)}stopped/`;
  }
  stopReport(cluster: string, member: string): string {
    return this.stopReports(cluster) + member;
  }
  promotionReport(cluster: string): string {
    return `${this.cluster(cluster)}promotion`;
  }
  handoverRequest(cluster: string): string {
    return `${this.cluster(cluster)}handover/request`;
  }
  handoverReady(cluster: string): string {
    return `${this.cluster(cluster)}handover/ready`;
  }
  handoverReport(cluster: string): string {
    return `${this.cluster(cluster)}handover/report`;
  }
  automaticPause(cluster: string): string {
    return `${this.cluster(cluster)}automatic-pause`;
  }
  automaticBlock(cluster: string): string {
    return `${this.cluster(cluster)}automatic-block`;
  }
  automaticTally(cluster: string): string {
    return `${this.cluster(cluster)}automatic-tally`;
  }
  /** Who drives an operation of this cluster now, by coordinator id; under etcd leases. */
  coordinators(cluster: string): string {
    return `${this.cluster(cluster)}coordinators/`;
  }
  coordinator(cluster: string, id: string): string {
    return this.coordinators(cluster) + id;
  }
  /** Failovers of a cluster that may have lost decisions, by operation id. */
  losses(cluster: string): string {
    return `${this.cluster(cluster)}losses/`;
  }
  loss(cluster: string, operation: string): string {
    return this.losses(cluster) + operation;
  }
  /** What a person asks the leader's agent to drop of moves that are over, and what it answered. */
  sweepRequest(cluster: string): string {
    return `${this.cluster(cluster)}sweep/request`;
  }
  sweepReport(cluster: string): string {
    return `${this.cluster(cluster)}sweep/report`;
  }
  /** What each member's Postgres held lately, by member. Daemons don't follow it. */
  progressOf(cluster: string): string {
    return `${this.prefix}progress/${cluster}/`;
  }
  progress(cluster: string, member: string): string {
    return this.progressOf(cluster) + member;
  }
  /** What a rejoin asks of a member's agent; admits one a member. */
  rejoins(cluster: string): string {
    return `${this.cluster(cluster)}rejoins/`;
  }
  rejoin(cluster: string, member: string): string {
    return this.rejoins(cluster) + member;
  }
  salvagedReports(cluster: string): string {
    return `${this.cluster(cluster)}salvaged/`;
  }
  salvagedReport(cluster: string, member: string): string {
    return this.salvagedReports(cluster) + member;
  }
  restoredReports(cluster: string): string {
    return `${this.cluster(cluster)}restored/`;
  }
  restoredReport(cluster: string, member: string): string {
    return this.restoredReports(cluster) + member;
  }
  /** What was salvaged of each member, and the report once it is signed off, in chunks. Daemons don't follow it. */
  lossReport(operation: string): string {
    return `${this.prefix}losses/${operation}/`;
  }
  salvageChunks(operation: string, member: string): string {
    return `${this.lossReport(operation)}members/${member}/`;
  }
  reportChunks(operation: string): string {
    return `${this.lossReport(operation)}report/`;
  }
  /** Streams of shards on the move, by operation and stream. */
  get moves(): string {
    return `${this.live}moves/`;
  }
  movesOf(operation: string): string {
    return `${this.moves}${operation}/`;
  }
  move(operation: string, stream: number): string {
    return this.movesOf(operation) + String(stream).padStart(4, '0');
  }
  /** What the leaders of both clusters say of each stream. */
  get moveReports(): string {
    return `${this.live}move-reports/`;
  }
  moveReportsOf(operation: string): string {
    return `${this.moveReports}${operation}/`;
  }
  moveReport(operation: string, stream: number, cluster: string): string {
    return `${this.moveReportsOf(operation)}${String(stream).padStart(4, '0')}/${cluster}`;
  }
  get movingShards(): string {
    return `${this.live}moving/`;
  }
  /** The id of the operation that moves a shard; admits one. */
  moving(shard: number): string {
    return this.movingShards + String(shard).padStart(SHARD_DIGITS, '0');
  }
  /** What each projector says of itself, under its etcd lease: who is here has a share of the shards. Other daemons don't follow it. */
  get projectors(): string {
    return `${this.prefix}projectors/`;
  }
  projector(name: string): string {
    return this.projectors + name;
  }
  get operations(): string {
    return `${this.prefix}operations/`;
  }
  operation(id: string): string {
    return this.operations + id;
  }
  get audit(): string {
    return `${this.prefix}audit/`;
  }
  auditEntry(id: string): string {
    return this.audit + id;
  }
}
