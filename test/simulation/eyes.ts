import type { Keys } from '../../src/controlplane/keys.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { Write } from '../../src/etcd/port.ts';
import { MoveCheck } from './check-moves.ts';
import { MovedRowsCheck } from './check-moved-rows.ts';
import { type Check, checksOf } from './checks.ts';
import { Invariants, type Verdict } from './invariants.ts';
import type { Planted } from './planted.ts';
import type { Told } from './sim-client.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimPostgres } from './sim-postgres.ts';
import type { Invariant } from './violation.ts';
import type { LogRecord } from './wal.ts';
import type { Counts } from './world-options.ts';

export interface EyesOptions {
  readonly etcd: SimEtcd;
  readonly keys: Keys;
  /** Each with its members. */
  readonly clusters: ReadonlyMap<string, readonly SimPostgres[]>;
  readonly shards: number;
  readonly contract: Contract;
  readonly counts: Counts;
  readonly planted: Planted;
  readonly clocksWithinLimits: boolean;
  readonly now: () => number;
  readonly incarnationOf: (member: string) => string | null;
  readonly standingOf: (cluster: string, leader: string | null) => string | undefined;
}

/** All that looks at a world: one pair of eyes a cluster, and, where there are several, one for what goes between them. */
export class Eyes {
  readonly verdict: Verdict = { violation: undefined };
  readonly #byCluster = new Map<string, Invariants>();
  readonly #byMember = new Map<string, Invariants>();
  readonly #checks: readonly Check[];
  readonly moves: MoveCheck | undefined;
  readonly #rows: MovedRowsCheck | undefined;

  constructor(options: EyesOptions) {
    const { clusters, verdict, contract } = { ...options, verdict: this.verdict };
    for (const [cluster, members] of clusters) {
      const eyes = new Invariants({ ...options, cluster, members, verdict, ttlMs: contract.lease.ttlMs });
      this.#byCluster.set(cluster, eyes);
      for (const { member } of members) this.#byMember.set(member, eyes);
    }
    const [only] = clusters;
    const report = (invariant: Invariant, message: string) => this.report(invariant, message);
    this.#checks =
      only === undefined || clusters.size > 1
        ? []
        : checksOf({ ...options, cluster: only[0], members: only[1], report });
    if (clusters.size < 2) return;
    const membersOf = (cluster: string) => clusters.get(cluster) ?? [];
    const about = { ...options, membersOf, report };
    this.moves = new MoveCheck(about);
    this.#rows = new MovedRowsCheck({ ...about, members: [...clusters.values()].flat() }, this.moves);
  }

  of(cluster: string): Invariants {
    const eyes = this.#byCluster.get(cluster);
    if (eyes === undefined) throw new Error(`there is no cluster ${cluster}`);
    return eyes;
  }

  report(invariant: Invariant, message: string): void {
    for (const eyes of this.#byCluster.values()) eyes.report(invariant, message);
  }

  committed(writes: readonly Write[]): void {
    for (const eyes of this.#byCluster.values()) eyes.committed(writes);
    for (const check of this.#checks) check.committed(writes);
    // What is lost is lost by the owner of before.
    this.#rows?.committed(writes);
    this.moves?.committed(writes);
  }

  check(): void {
    for (const eyes of this.#byCluster.values()) eyes.check();
    this.moves?.check();
    this.#rows?.check();
  }

  appended(member: string, record: LogRecord): void {
    this.#byMember.get(member)?.appended(member, record);
    for (const check of this.#checks) check.appended?.(member, record);
    this.#rows?.appended(member, record);
  }

  acknowledged(member: string, token: string, shard: number): void {
    this.#byMember.get(member)?.acknowledged(member, token, shard);
    for (const check of this.#checks) check.acknowledged?.(member, token);
  }

  told(client: string, told: Told): void {
    const eyes = this.of(told.cluster);
    if (this.#rows === undefined) eyes.told(client, told);
    else {
      eyes.believed(client, told);
      this.#rows.told(client, told);
    }
  }

  atEnd(): void {
    for (const eyes of this.#byCluster.values()) {
      eyes.checkPrefix();
      if (this.#rows === undefined) eyes.checkAllTold();
    }
    this.#rows?.atEnd();
  }
}
